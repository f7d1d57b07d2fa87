//! Every message of `tests/interop/torture`, octet by octet: what is valid or to be tolerated can be used, what is malformed is
//! refused with the status in the table of verdicts, and no refusal answers a response.

use std::fs;

use um_sip::{Limits, Message};

use super::assert_usable;

/// Name, octets, verdict and what is answered in a datagram.
fn corpus() -> Vec<(String, Vec<u8>, String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop/torture");
    let table = fs::read_to_string(format!("{folder}/verdicts.md")).expect("the table");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let corpus: Vec<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let name = cells[0].trim_matches('`').to_owned();
            let bytes = fs::read(format!("{folder}/{name}.sip")).expect(&name);
            (name, bytes, cells[3].to_owned(), cells[4].to_owned())
        })
        .collect();
    assert_eq!(corpus.len(), 64, "49 of RFC 4475, 12 of RFC 5118, 3 of them with the length counted");
    corpus
}

#[test]
fn every_valid_or_tolerated_message_can_be_used() {
    for (name, bytes, verdict, _) in corpus() {
        if verdict == "invalid" {
            continue;
        }
        let message = Message::parse(bytes.into(), &Limits::default());
        assert_usable(&name, &message.unwrap_or_else(|error| panic!("{name}: {error}")));
    }
}

#[test]
fn every_malformed_message_is_refused_as_the_table_says() {
    let mut refused = 0;
    for (name, bytes, verdict, answer) in corpus() {
        let Err(error) = Message::parse(bytes.into(), &Limits::default()) else { continue };
        assert_eq!(verdict, "invalid", "{name}: {error}");
        let status = error.salvage.map(|salvage| salvage.status().to_string());
        assert_eq!(status.unwrap_or_else(|| "silence".to_owned()), answer, "{name}");
        refused += 1;
    }
    assert!(refused >= 17, "{refused}: the others are refused for what they mean");
}
