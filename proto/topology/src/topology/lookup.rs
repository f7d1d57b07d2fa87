//! Finding resources by what a call says: the dialled number, the mailbox, the caller's identity.

use std::sync::Arc;

use super::Topology;
use crate::credential::Credential;
use crate::id::{Id, Kind, Name};
use crate::line::Line;
use crate::number::{dialled_key, uri_key};
use crate::sip_address::{full_key, user_key};
use crate::station::Station;
use crate::unique::Space;
use crate::uri::Uri;
use crate::user::User;

/// Who has a dialled number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// A UM station: its extension or its pilot.
    Station(Arc<Station>),
    /// A user: his extension or an alias.
    User(Arc<User>),
}

impl Topology {
    /// Returns who is called by the user part of a Request-URI; its host does not count.
    ///
    /// A station comes before a user. Of two stations with one pilot it is the one that is reached by the receiving
    /// line, else the first by name.
    #[must_use]
    pub fn called(&self, user_part: &str, receiving_line: &str) -> Option<Called> {
        let key = dialled_key(user_part);
        let holder = self.holder(Space::Ext, &key);
        let by_extension =
            holder.filter(|name| name.kind == Kind::Station).and_then(|name| self.station(&name.id));
        if let Some(station) = by_extension.or_else(|| self.by_pilot(&key, receiving_line)) {
            return Some(Called::Station(station.clone()));
        }
        let user = self.user_of(holder).or_else(|| self.user_of(self.holder(Space::Alias, &key)));
        user.or_else(|| self.by_alias_user(&key)).cloned().map(Called::User)
    }

    /// Returns the user whose mailbox a URI names: by mailbox address or alias as it stands, else by its number.
    #[must_use]
    pub fn mailbox(&self, uri: &Uri) -> Option<&Arc<User>> {
        let spaces = |key: &str| {
            let mailbox = self.user_of(self.holder(Space::Mailbox, key));
            mailbox.or_else(|| self.user_of(self.holder(Space::Alias, key)))
        };
        if let Some(user) = uri_key(uri).and_then(|key| spaces(&key)) {
            return Some(user);
        }
        let number = dialled_key(uri.user.as_deref()?);
        let by_extension = self.user_of(self.holder(Space::Ext, &number));
        by_extension.or_else(|| spaces(&number))
    }

    /// Returns the station that a From URI identifies: by user, host and port, else by user alone where a station is
    /// identified so. Whether the sender may be believed is not asked here.
    #[must_use]
    pub fn identified(&self, from: &Uri) -> Option<&Arc<Station>> {
        let by =
            |key: Option<String>| self.holder(Space::SipId, &key?).and_then(|name| self.station(&name.id));
        by(full_key(from)).or_else(|| by(user_key(from)))
    }

    /// Returns the credentials that answer challenges on a line, those of a station before those of the line.
    #[must_use]
    pub fn credentials_for(&self, station: Option<&Station>, line: &Line) -> Arc<[Arc<Credential>]> {
        let own = station.and_then(|station| station.authentication.as_ref());
        let ids = own.into_iter().chain(&line.authentication.outbound_credentials);
        ids.filter_map(|id| self.credential(id).cloned()).collect()
    }

    /// Returns the line that calls to a list leave on: the receiving one if the list is its own, else the first by name
    /// whose it is, else the receiving one.
    #[must_use]
    pub fn line_of_list(&self, list: &str, receiving: &str) -> Option<&Arc<Line>> {
        let of_list = |line: &&Arc<Line>| line.proxy_list.as_deref() == Some(list);
        let here = self.line(receiving);
        here.filter(|line| of_list(line)).or_else(|| self.lines().find(of_list)).or(here)
    }

    /// Returns the stations that have a pilot, in id order.
    pub fn stations_of_pilot(&self, pilot: &str) -> impl Iterator<Item = &Arc<Station>> {
        self.pilots.get(&*dialled_key(pilot)).into_iter().flatten().filter_map(|id| self.station(id))
    }

    /// Returns who refers to a resource, in name order.
    pub fn referents(&self, name: &Name) -> impl Iterator<Item = &Name> {
        self.referents.get(name).into_iter().flatten()
    }

    /// Returns how many resources refer to one.
    #[must_use]
    pub fn referents_total(&self, name: &Name) -> usize {
        self.referents.get(name).map_or(0, imbl::OrdSet::len)
    }

    /// Returns who has a unique value, given in its normal form.
    #[must_use]
    pub fn holder(&self, space: Space, value: &str) -> Option<&Name> {
        self.unique.holder(space, value)
    }

    fn by_pilot(&self, pilot: &str, receiving_line: &str) -> Option<&Arc<Station>> {
        let here = |station: &&Arc<Station>| self.contact_line_id(station) == Some(receiving_line);
        self.stations_of_pilot(pilot).find(here).or_else(|| self.stations_of_pilot(pilot).next())
    }

    fn by_alias_user(&self, user_part: &str) -> Option<&Arc<User>> {
        let id: &Id = self.alias_users.get(user_part)?.get_min()?;
        self.user(id)
    }

    fn user_of(&self, holder: Option<&Name>) -> Option<&Arc<User>> {
        holder.filter(|name| name.kind == Kind::User).and_then(|name| self.user(&name.id))
    }
}
