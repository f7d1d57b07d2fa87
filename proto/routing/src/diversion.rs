//! Reading the chain of diversions of an INVITE, the most recent first.
//!
//! Diversion (RFC 5806 §9.2.3), else History-Info (RFC 7044 §10.4), else the `target` and `cause` parameters of the
//! Request-URI (RFC 4458).

use um_topology::Uri;

use crate::cause::Cause;
use crate::facts::{Diversion, Facts, HistoryEntry, HistoryRelation, Party};

/// Returns who diverted the call, the most recent first; at most [`MAX_DIVERSIONS`].
pub(crate) fn chain(facts: &Facts) -> Vec<Diversion> {
    if !facts.diversions.is_empty() {
        return facts.diversions.iter().take(MAX_DIVERSIONS).cloned().collect();
    }
    let by_history = of_history(&facts.history);
    let diversion = by_history.or_else(|| of_parameters(&facts.request_uri));
    diversion.into_iter().collect()
}

/// The last entry with `mp`, only without any the last with `rc`, was diverted to; the entry that it points to diverted.
fn of_history(history: &[HistoryEntry]) -> Option<Diversion> {
    let mapped = history.iter().rev().find_map(|entry| match &entry.relation {
        Some(HistoryRelation::Mapped(index)) => Some((entry, index)),
        Some(HistoryRelation::Recursed(_) | HistoryRelation::Unchanged(_)) | None => None,
    });
    let recursed = || {
        history.iter().rev().find_map(|entry| match &entry.relation {
            Some(HistoryRelation::Recursed(index)) => Some((entry, index)),
            Some(HistoryRelation::Mapped(_) | HistoryRelation::Unchanged(_)) | None => None,
        })
    };
    let (diverted_to, index) = mapped.or_else(recursed)?;
    let diverting = history.iter().find(|entry| entry.index == *index)?;
    Some(diversion(diverting.uri.clone(), diverted_to.uri.param("cause")))
}

fn of_parameters(request_uri: &Uri) -> Option<Diversion> {
    let target: Uri = request_uri.param("target")?.parse().ok()?;
    Some(diversion(target, request_uri.param("cause")))
}

fn diversion(mut uri: Uri, cause: Option<&str>) -> Diversion {
    // What the URI says about the history of the call is not part of the party's address.
    uri.remove_param("cause");
    uri.headers = None;
    let cause = cause.and_then(|code| code.parse().ok()).map_or(Cause::Unknown, Cause::of_code);
    Diversion { party: Party { display: None, uri }, cause }
}

/// Longest chain that is read.
const MAX_DIVERSIONS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(request_uri: &str, history: &[(&str, &str, Option<HistoryRelation>)]) -> Facts {
        let from = "sip:5551234@pbx".parse().unwrap();
        let source = "10.0.0.9".parse().unwrap();
        let mut facts = Facts::new("a".into(), source, request_uri.parse().unwrap(), from);
        facts.history = history
            .iter()
            .map(|(uri, index, relation)| HistoryEntry {
                uri: uri.parse().unwrap(),
                index: (*index).into(),
                relation: relation.clone(),
            })
            .collect();
        facts
    }

    fn read(facts: &Facts) -> Vec<(String, Cause)> {
        chain(facts).into_iter().map(|diversion| (diversion.party.uri.to_string(), diversion.cause)).collect()
    }

    #[test]
    fn history_names_the_party_that_the_last_mapping_points_to() {
        let mapped = |index: &str| Some(HistoryRelation::Mapped(index.into()));
        let entries = [
            ("sip:2001@pbx", "1", None),
            ("sip:2002@pbx;cause=486", "1.1", mapped("1")),
            ("sip:6000@um;cause=408", "1.1.1", mapped("1.1")),
            ("sip:6000@um9", "1.1.1.1", Some(HistoryRelation::Recursed("1.1.1".into()))),
        ];
        let facts = facts("sip:6000@um", &entries);
        assert_eq!(read(&facts), [("sip:2002@pbx".to_owned(), Cause::NoAnswer)]);
    }

    #[test]
    fn without_a_mapping_the_last_recursion_counts() {
        let entries = [
            ("sip:2001@pbx", "1", None),
            ("sip:6000@um;cause=302", "1.1", Some(HistoryRelation::Recursed("1".into()))),
        ];
        assert_eq!(
            read(&facts("sip:6000@um", &entries)),
            [("sip:2001@pbx".to_owned(), Cause::Unconditional)]
        );
    }

    #[test]
    fn parameters_of_the_request_uri_come_last() {
        let uri = "sip:6000@um.example.com;target=sip:2001%40pbx.example.com;cause=408";
        assert_eq!(read(&facts(uri, &[])), [("sip:2001@pbx.example.com".to_owned(), Cause::NoAnswer)]);
        assert_eq!(read(&facts("sip:6000@um;cause=408", &[])), []);
    }

    #[test]
    fn diversion_headers_come_before_everything_else() {
        let mut facts = facts("sip:6000@um;target=sip:1%40pbx", &[]);
        for user in ["2002", "2001"] {
            let uri = format!("sip:{user}@pbx").parse().unwrap();
            facts.diversions.push(Diversion { party: Party { display: None, uri }, cause: Cause::UserBusy });
        }
        let users: Vec<String> = read(&facts).into_iter().map(|(uri, _)| uri).collect();
        assert_eq!(users, ["sip:2002@pbx", "sip:2001@pbx"]);
    }
}
