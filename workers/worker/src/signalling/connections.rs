//! The register of one shard's connections: where each is, which line it belongs to, when it is given up.
//!
//! Peers decide how many connections they open, so what they open is bounded by line and altogether, and room is left for
//! those that the engine opens towards servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use um_sip::{ConnectionId, LineIndex};

/// Connections that one shard keeps open, accepted and opened together.
pub(super) const MAX_CONNECTIONS: usize = 16_384;
/// Connections that peers may have opened, so that ours find room.
const MAX_ACCEPTED: usize = 12_288;
/// Connections that peers may have opened to one line, so that the other lines find room.
const MAX_ACCEPTED_BY_LINE: usize = 8_192;

/// The connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    places: BTreeMap<ConnectionId, Place>,
    deadlines: BTreeSet<(Instant, ConnectionId)>,
    accepted: BTreeMap<LineIndex, usize>,
}

#[derive(Debug)]
struct Place {
    key: usize,
    line: LineIndex,
    origin: Origin,
    deadline: Option<Instant>,
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The peer.
    Accepted,
    /// We.
    Opened,
}

impl Connections {
    /// Whether one more connection may be kept.
    pub(super) fn has_room(&self, line: LineIndex, origin: Origin) -> bool {
        let accepted = || self.accepted.values().sum::<usize>();
        self.places.len() < MAX_CONNECTIONS
            && match origin {
                Origin::Opened => true,
                Origin::Accepted => {
                    accepted() < MAX_ACCEPTED
                        && self.accepted.get(&line).is_none_or(|count| *count < MAX_ACCEPTED_BY_LINE)
                }
            }
    }

    /// Enters a connection that is kept at `key`.
    pub(super) fn insert(&mut self, id: ConnectionId, key: usize, line: LineIndex, origin: Origin) {
        if origin == Origin::Accepted {
            *self.accepted.entry(line).or_default() += 1;
        }
        self.places.insert(id, Place { key, line, origin, deadline: None });
    }

    /// Removes a connection and says where it was kept.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<usize> {
        let place = self.places.remove(&id)?;
        if let Some(deadline) = place.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        if place.origin == Origin::Accepted
            && let Some(count) = self.accepted.get_mut(&place.line)
        {
            *count -= 1;
            if *count == 0 {
                self.accepted.remove(&place.line);
            }
        }
        Some(place.key)
    }

    /// Notes when a connection is given up.
    pub(super) fn set_deadline(&mut self, id: ConnectionId, deadline: Option<Instant>) {
        let Some(place) = self.places.get_mut(&id) else { return };
        if place.deadline == deadline {
            return;
        }
        if let Some(former) = std::mem::replace(&mut place.deadline, deadline) {
            self.deadlines.remove(&(former, id));
        }
        self.deadlines.extend(deadline.map(|deadline| (deadline, id)));
    }

    /// Where a connection is kept.
    pub(super) fn key(&self, id: ConnectionId) -> Option<usize> {
        self.places.get(&id).map(|place| place.key)
    }

    /// The connections of a line.
    pub(super) fn of_line(&self, line: LineIndex) -> Vec<ConnectionId> {
        self.places.iter().filter(|(_, place)| place.line == line).map(|(id, _)| *id).collect()
    }

    /// The first deadline of all, and whose it is.
    pub(super) fn first_deadline(&self) -> Option<(Instant, ConnectionId)> {
        self.deadlines.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    fn id(serial: u64) -> ConnectionId {
        ConnectionId { shard: 0, serial }
    }

    #[test]
    fn a_flooded_line_leaves_room_for_the_other_lines_and_for_what_we_open() {
        let (flooded, other) = (LineIndex(0), LineIndex(1));
        let mut connections = Connections::default();
        let mut serial = 0;
        for (line, origin, most) in [
            (flooded, Origin::Accepted, MAX_ACCEPTED_BY_LINE),
            (other, Origin::Accepted, MAX_ACCEPTED - MAX_ACCEPTED_BY_LINE),
            (flooded, Origin::Opened, MAX_CONNECTIONS - MAX_ACCEPTED),
        ] {
            let before = serial;
            while connections.has_room(line, origin) {
                connections.insert(id(serial), 0, line, origin);
                serial += 1;
            }
            assert_eq!(usize::try_from(serial - before).unwrap(), most);
        }
        assert_eq!(connections.of_line(other).len(), MAX_ACCEPTED - MAX_ACCEPTED_BY_LINE);
        connections.remove(id(0));
        assert!(connections.has_room(flooded, Origin::Accepted));
    }

    #[test]
    fn a_deadline_moves_and_goes_with_its_connection() {
        let now = clock::now();
        let mut connections = Connections::default();
        for serial in 0..2 {
            connections.insert(id(serial), 7, LineIndex(0), Origin::Accepted);
            connections.set_deadline(id(serial), Some(now + Duration::from_secs(serial)));
        }
        assert_eq!(connections.first_deadline(), Some((now, id(0))));
        connections.set_deadline(id(0), Some(now + Duration::from_secs(5)));
        assert_eq!(connections.first_deadline(), Some((now + Duration::from_secs(1), id(1))));
        assert_eq!(connections.remove(id(1)), Some(7));
        connections.set_deadline(id(0), None);
        assert_eq!(connections.first_deadline(), None);
        assert_eq!((connections.remove(id(0)), connections.remove(id(0))), (Some(7), None));
    }
}
