//! `History-Info` (RFC 7044): the way that a request took, as a tree of targets.

use std::fmt;

use crate::{error::Fault, name_addr::NameAddr, scan, uri::Uri};

/// Position of an entry in the tree, `1.2.1` (RFC 7044 §10.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryIndex(Vec<u32>);

impl HistoryIndex {
    /// Reads `1.2.1`; `None` if a part is not a number or there are more than 32.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Option<Vec<u32>> =
            text.split('.').take(MOST_PARTS + 1).map(|part| scan::number(part.as_bytes())).collect();
        parts.filter(|parts| parts.len() <= MOST_PARTS).map(Self)
    }

    /// The first entry.
    #[must_use]
    pub fn root() -> Self {
        Self(vec![1])
    }

    /// The first entry below this one.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut parts = self.0.clone();
        parts.push(1);
        Self(parts)
    }
}

impl fmt::Display for HistoryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            part.fmt(f)?;
        }
        Ok(())
    }
}

/// How an entry came to be the target, with the index of the entry that it was before (RFC 7044 §10.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retarget {
    /// `mp`: another user became the target.
    Mapped(HistoryIndex),
    /// `rc`: a contact of the same user.
    Registered(HistoryIndex),
    /// `np`: no change of the target.
    NoChange(HistoryIndex),
}

/// One History-Info value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The target with its parameters.
    pub address: NameAddr,
    /// Its place; entries without one are refused, for nothing can refer to them.
    pub index: HistoryIndex,
    /// How it was chosen, if that is said.
    pub retarget: Option<Retarget>,
}

impl HistoryEntry {
    /// Makes an entry.
    #[must_use]
    pub fn new(target: Uri, index: HistoryIndex, retarget: Option<Retarget>) -> Self {
        let mut address = NameAddr::new(target);
        address.params.set("index", Some(&index.to_string()));
        match &retarget {
            Some(Retarget::Mapped(from)) => address.params.set("mp", Some(&from.to_string())),
            Some(Retarget::Registered(from)) => address.params.set("rc", Some(&from.to_string())),
            Some(Retarget::NoChange(from)) => address.params.set("np", Some(&from.to_string())),
            None => {}
        }
        Self { address, index, retarget }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the address cannot be read or the index is not one.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let address = NameAddr::parse(value)?;
        let index_of = |name: &str| address.params.raw_value(name).and_then(HistoryIndex::parse);
        let index = index_of("index").ok_or(Fault::Number)?;
        let retarget = index_of("mp")
            .map(Retarget::Mapped)
            .or_else(|| index_of("rc").map(Retarget::Registered))
            .or_else(|| index_of("np").map(Retarget::NoChange));
        Ok(Self { address, index, retarget })
    }

    /// The target.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.address.uri
    }

    /// Why the call came to this target, as a status code: `cause` of the URI (RFC 4458), else the code of an
    /// embedded Reason header (RFC 7044 §7.1).
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.uri().cause().or_else(|| self.embedded_reason())
    }

    fn embedded_reason(&self) -> Option<u16> {
        let (_, value) = self.uri().headers().find(|(name, _)| name.eq_ignore_ascii_case("Reason"))?;
        crate::reason::Reason::parse(&crate::uri::unescape(value)).ok()?.cause()
    }
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The party that diverted the call to where it is now, and why (RFC 7044 §10.4, RFC 7544): the last entry
/// with `mp`, without any the last with `rc`, points to the diverting party and says the cause itself.
#[must_use]
pub fn diverting_party(entries: &[HistoryEntry]) -> Option<(&HistoryEntry, Option<u16>)> {
    let last = |wanted: fn(&Retarget) -> Option<&HistoryIndex>| {
        entries.iter().rev().find_map(|entry| Some((entry, wanted(entry.retarget.as_ref()?)?)))
    };
    let (diverted_to, from) = last(mapped).or_else(|| last(registered))?;
    let party = entries.iter().find(|entry| entry.index == *from)?;
    Some((party, diverted_to.cause()))
}

fn mapped(retarget: &Retarget) -> Option<&HistoryIndex> {
    match retarget {
        Retarget::Mapped(from) => Some(from),
        Retarget::Registered(_) | Retarget::NoChange(_) => None,
    }
}

fn registered(retarget: &Retarget) -> Option<&HistoryIndex> {
    match retarget {
        Retarget::Registered(from) => Some(from),
        Retarget::Mapped(_) | Retarget::NoChange(_) => None,
    }
}

/// Deepest tree that is read.
const MOST_PARTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(values: &[&str]) -> Vec<HistoryEntry> {
        values.iter().map(|value| HistoryEntry::parse(value.as_bytes()).expect("valid")).collect()
    }

    #[test]
    fn the_last_mapped_entry_names_the_diverting_party() {
        let history = entries(&[
            "<sip:2001@pbx.example.com>;index=1",
            "<sip:6000@um.example.com;cause=408>;index=1.1;mp=1",
        ]);
        let (party, cause) = diverting_party(&history).expect("found");
        assert_eq!((party.uri().user(), cause), (Some("2001"), Some(408)));
    }

    #[test]
    fn mapped_wins_over_registered_and_an_embedded_reason_counts() {
        let history = entries(&[
            "<sip:2001@pbx.example.com>;index=1",
            "<sip:2001@10.0.0.9>;index=1.1;rc=1",
            "<sip:6000@um.example.com?Reason=SIP%3Bcause%3D486>;index=1.2;mp=1.1",
            "<sip:6000@10.0.0.1>;index=1.2.1;rc=1.2",
        ]);
        let (party, cause) = diverting_party(&history).expect("found");
        assert_eq!((party.index.to_string(), cause), ("1.1".into(), Some(486)));
        assert_eq!(
            diverting_party(&history[..2]).map(|(party, _)| party.index.to_string()),
            Some("1".into())
        );
        assert_eq!(diverting_party(&history[..1]), None);
    }

    #[test]
    fn indexes_are_bounded_numbers() {
        assert!(HistoryIndex::parse(&vec!["1"; 33].join(".")).is_none());
        for text in ["", "1.", "a", "1..2", "-1"] {
            assert!(HistoryIndex::parse(text).is_none(), "{text}");
        }
        assert_eq!(HistoryIndex::root().child().to_string(), "1.1");
    }

    #[test]
    fn what_is_written_reads_back() {
        let uri: Uri = "sip:6000@um.example.com;cause=408".parse().expect("valid");
        let entry = HistoryEntry::new(
            uri,
            HistoryIndex::root().child(),
            Some(Retarget::Mapped(HistoryIndex::root())),
        );
        assert_eq!(entry.to_string(), "<sip:6000@um.example.com;cause=408>;index=1.1;mp=1");
        assert_eq!(HistoryEntry::parse(entry.to_string().as_bytes()), Ok(entry));
    }
}
