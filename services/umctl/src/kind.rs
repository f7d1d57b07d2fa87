//! Kinds as people type them on the command line.

use um_topology::Kind;
use um_wire::descriptor;

use crate::failure::{Failure, nearest};

/// Reads a kind: `line`, `lines`, `proxylist`, `proxy_list`, `pl`, `credential`, `station`, `user`, `route`, `settings`, in
/// any case.
///
/// # Errors
///
/// A usage failure that names the nearest right word.
pub(crate) fn parse(word: &str) -> Result<Kind, Failure> {
    let plain: String = word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let singular = plain.strip_suffix('s').unwrap_or(&plain);
    match singular {
        "credential" => Ok(Kind::Credential),
        "route" => Ok(Kind::Route),
        "line" => Ok(Kind::Line),
        "proxylist" | "pl" => Ok(Kind::ProxyList),
        "station" => Ok(Kind::Station),
        "user" => Ok(Kind::User),
        "setting" => Ok(Kind::Settings),
        _ => {
            let hint = nearest(&plain, WORDS.iter().copied());
            let hint = hint.map(|word| format!("; did you mean {word}?")).unwrap_or_default();
            Err(Failure::Usage(format!("`{word}` is not a kind{hint} The kinds are {}.", WORDS.join(", "))))
        }
    }
}

/// Returns the name of the kind's field in the envelope and in field paths, `proxy_list`.
pub(crate) const fn field(kind: Kind) -> &'static str {
    match kind {
        Kind::Line => "line",
        Kind::ProxyList => "proxy_list",
        Kind::Station => "station",
        Kind::User => "user",
        Kind::Credential => "credential",
        Kind::Route => "route",
        Kind::Settings => "settings",
    }
}

/// Returns the descriptor of the kind's message.
pub(crate) fn message(kind: Kind) -> prost_reflect::MessageDescriptor {
    descriptor::message(kind.manifest_kind())
}

/// Returns the full name of a resource, from an id or from a full name.
pub(crate) fn full_name(kind: Kind, id: &str) -> String {
    match kind {
        Kind::Settings => kind.collection().to_owned(),
        Kind::Line | Kind::ProxyList | Kind::Credential | Kind::Station | Kind::User | Kind::Route => {
            if id.contains('/') { id.to_owned() } else { format!("{}/{id}", kind.collection()) }
        }
    }
}

/// Returns the id in a full name, `um-plain` of `lines/um-plain`.
pub(crate) fn bare_id(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, id)| id)
}

const WORDS: [&str; 7] = ["line", "proxylist", "credential", "station", "user", "route", "settings"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_in_every_usual_form() {
        for (word, kind) in [
            ("line", Kind::Line),
            ("Lines", Kind::Line),
            ("proxy_list", Kind::ProxyList),
            ("proxyLists", Kind::ProxyList),
            ("proxy-list", Kind::ProxyList),
            ("pl", Kind::ProxyList),
            ("User", Kind::User),
            ("settings", Kind::Settings),
        ] {
            assert_eq!(parse(word).unwrap(), kind, "{word}");
        }
    }

    #[test]
    fn a_wrong_kind_names_the_nearest() {
        let failure = parse("statoin").unwrap_err();
        assert!(failure.to_string().contains("did you mean station?"), "{failure}");
        assert_eq!(failure.exit_code(), 2);
    }

    #[test]
    fn full_names_are_made_of_ids_and_taken_as_they_are() {
        assert_eq!(full_name(Kind::ProxyList, "um"), "proxyLists/um");
        assert_eq!(full_name(Kind::ProxyList, "proxyLists/um"), "proxyLists/um");
        assert_eq!(full_name(Kind::Settings, "anything"), "settings");
        assert_eq!((bare_id("lines/a"), bare_id("a")), ("a", "a"));
    }
}
