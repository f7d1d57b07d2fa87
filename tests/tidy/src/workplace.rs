//! Nothing of the place where a file was written: absolute paths of somebody's machine, hosts that only he can reach.

use crate::finding::Finding;
use crate::repo::Repo;

/// Folders that exist on somebody's machine only. Written in two halves, so that this file does not find itself.
const PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("bash", "_jobs"),
    concat!(".cargo/", "registry"),
];

/// Hosts that every reader can reach or that are reserved for examples, by their end.
const HOSTS: &[&str] = &[
    "example.com",
    "example.net",
    "example.org",
    ".example",
    ".invalid",
    ".test",
    "localhost",
    "crates.io",
    "docs.rs",
    "etcd.io",
    "github.com",
    "iana.org",
    "ietf.org",
    "kamailio.org",
    "opentelemetry.io",
    "prometheus.io",
    "rfc-editor.org",
    "rust-lang.org",
    "rustup.rs",
    "sipp.readthedocs.io",
    "w3.org",
];

/// Every such path and host in every text file.
#[must_use]
pub fn traces(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repo.files {
        for (number, line) in file.text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
            for path in PATHS.iter().filter(|path| line.contains(**path)) {
                let what = format!(
                    "`{path}` is a place on one machine: use a path from the root, or a temporary folder"
                );
                findings.push(Finding::at(&file.path, number, what));
            }
            for host in hosts(line).filter(|host| !public(host)) {
                let what = format!(
                    "`{host}` is no public host: use example.com, or add it to HOSTS in tests/tidy/src/workplace.rs"
                );
                findings.push(Finding::at(&file.path, number, what));
            }
        }
    }
    findings
}

/// Hosts of the web addresses in a line; those with a placeholder in them are none.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let addresses = line
        .match_indices("://")
        .filter(|(at, _)| line[..*at].ends_with("http") || line[..*at].ends_with("https"));
    addresses
        .map(move |(at, _)| {
            let rest = &line[at + 3..];
            rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())].trim_end_matches('.')
        })
        .filter(|host| host.contains('.'))
}

fn public(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    address.map_or_else(
        |_| HOSTS.iter().any(|end| host.ends_with(end)),
        |ip| ip.is_loopback() || ip.is_unspecified() || documentation(ip),
    )
}

/// RFC 5737.
fn documentation(ip: std::net::IpAddr) -> bool {
    ["192.0.2.", "198.51.100.", "203.0.113."].iter().any(|block| ip.to_string().starts_with(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_hosts_of_one_machine_are_found() {
        let text = format!("cd {}x\ncurl https:/{}/simple\n", concat!("/ho", "me/"), "/mirror.corp.lan");
        assert_eq!(traces(&Repo::of(&[("a.sh", &text)])).len(), 2);
    }

    #[test]
    fn public_and_reserved_hosts_are_none() {
        let text = "https://docs.rs/x http://127.0.0.1:7400 http://um1.example.com:5060. http://192.0.2.7/ http://{host}/ http://collector:4317";
        assert!(traces(&Repo::of(&[("a.md", text)])).is_empty());
    }
}
