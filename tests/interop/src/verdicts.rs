//! The torture messages of RFC 4475 and RFC 5118 with what the worker must do with each: `torture/verdicts.md`, read.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

/// What comes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Final responses in their order; none: silence.
    pub statuses: Vec<u16>,
    /// The connection is closed afterwards.
    pub closed: bool,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Torture {
    /// Folder and name.
    pub name: String,
    /// Its octets.
    pub bytes: Vec<u8>,
    /// What comes of it in a datagram.
    pub udp: Outcome,
    /// What comes of it on a stream.
    pub tcp: Outcome,
}

/// Reads the table and the files that it names.
///
/// # Errors
///
/// A row is not of the form, a file is not there or has another length, or a file has no row.
pub fn torture() -> Result<Vec<Torture>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/torture"));
    let table = std::fs::read_to_string(folder.join("verdicts.md")).context("the table of verdicts")?;
    let mut found = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, octets, verdict, udp, tcp, reason] = cells[..] else { bail!("seven cells: {line}") };
        let name = name.trim_matches('`').to_owned();
        let bytes = std::fs::read(folder.join(format!("{name}.sip"))).with_context(|| name.clone())?;
        ensure!(octets.parse() == Ok(bytes.len()), "{name} has {} octets", bytes.len());
        ensure!(["valid", "invalid", "tolerated"].contains(&verdict), "{name}: `{verdict}`");
        ensure!(!reason.is_empty(), "{name}: no reason");
        found.push(Torture { udp: outcome(udp)?, tcp: outcome(tcp)?, name, bytes });
    }
    for standard in ["rfc4475", "rfc5118"] {
        let files = std::fs::read_dir(folder.join(standard))?.count();
        let rows = found.iter().filter(|torture| torture.name.starts_with(standard)).count();
        ensure!(files == rows, "{standard}: {files} files and {rows} rows");
    }
    Ok(found)
}

fn outcome(cell: &str) -> Result<Outcome> {
    let (statuses, closed) = match cell.strip_suffix(", closed") {
        Some(statuses) => (statuses, true),
        None => (cell, false),
    };
    if statuses == "silence" {
        return Ok(Outcome { statuses: Vec::new(), closed });
    }
    let statuses = statuses.split(", then ").map(str::parse).collect::<Result<_, _>>();
    Ok(Outcome { statuses: statuses.with_context(|| format!("what comes of a message: {cell}"))?, closed })
}
