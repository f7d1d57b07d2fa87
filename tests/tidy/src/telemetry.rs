//! Instruments and spans: every one in the catalogue is documented as it is, and recorded by a binary.

use um_telemetry::catalogue::{ALL, Instrument, SPANS, Shape};

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust;

/// The document.
pub const PATH: &str = "docs/telemetry.md";

/// Files with one recording function per instrument, and the crate that must call them.
pub const RECORDERS: &[(&str, &str)] = &[
    ("proto/telemetry/src/worker.rs", "workers/worker/src"),
    ("proto/telemetry/src/control.rs", "services/control/src"),
];

/// The row that the document must hold for an instrument.
#[must_use]
pub fn row(instrument: &Instrument) -> String {
    let shape = match instrument.shape {
        Shape::Counter => "counter",
        Shape::UpDown => "up-down counter",
        Shape::Gauge => "gauge",
        Shape::Histogram(_) => "histogram",
    };
    let attributes =
        if instrument.attributes.is_empty() { "-".to_owned() } else { instrument.attributes.join(", ") };
    format!(
        "| `{}` | {shape} | {} | {attributes} | {} |",
        instrument.name, instrument.unit, instrument.description
    )
}

/// Instruments and spans that the document lacks or tells wrong, and rows for none.
#[must_use]
pub fn undocumented(repo: &Repo) -> Vec<Finding> {
    let Some(document) = repo.file(PATH) else { return vec![Finding::file(PATH, "is missing")] };
    let rows = ALL.iter().map(row).collect::<Vec<_>>();
    let mut findings = Vec::new();
    for wanted in rows.iter().filter(|wanted| !document.text.lines().any(|line| line == wanted.as_str())) {
        findings.push(Finding::file(PATH, format!("lacks this row: {wanted}")));
    }
    for span in SPANS.iter().filter(|span| !document.text.contains(&format!("| `{}` |", span.name))) {
        findings.push(Finding::file(PATH, format!("lacks a row for the span `{}`", span.name)));
    }
    for (index, line) in document.text.lines().enumerate() {
        let name =
            line.strip_prefix("| `").and_then(|rest| rest.split_once('`')).map_or("", |(name, _)| name);
        let known = ALL.iter().any(|row| row.name == name) || SPANS.iter().any(|span| span.name == name);
        if !name.is_empty() && !known {
            findings.push(Finding::at(
                PATH,
                index + 1,
                format!("`{name}` is not in the catalogue: take the row out"),
            ));
        }
    }
    findings
}

/// Recording functions that no binary calls.
#[must_use]
pub fn unrecorded(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (recorder, user) in RECORDERS {
        let Some(file) = repo.file(recorder) else {
            findings.push(Finding::file(
                recorder,
                "is missing: RECORDERS of tests/tidy/src/telemetry.rs names it",
            ));
            continue;
        };
        let code = repo
            .below(user)
            .filter(|file| file.is("rs"))
            .map(|file| rust::split(&file.text).code)
            .collect::<String>();
        for name in public_functions(&rust::split(&file.text).code) {
            if rust::words(&code, &format!(".{name}(")).next().is_none() {
                let what =
                    format!("`{name}` is called nowhere in {user}: record it, or take it and its row out");
                findings.push(Finding::file(recorder, what));
            }
        }
    }
    findings
}

fn public_functions(code: &str) -> Vec<String> {
    let names = code.lines().filter_map(|line| line.trim_start().strip_prefix("pub fn "));
    names.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_a_wrong_and_a_surplus_row_are_found() {
        let mut lines = ALL.iter().map(row).collect::<Vec<_>>();
        lines.extend(SPANS.iter().map(|span| format!("| `{}` | - |", span.name)));
        let all = lines.join("\n");
        assert_eq!(undocumented(&Repo::of(&[(PATH, &all)])), []);
        let wrong = all.replacen("histogram", "counter", 1);
        assert_eq!(undocumented(&Repo::of(&[(PATH, &wrong)])).len(), 1);
        let surplus = format!("{all}\n| `um.invented` | counter |");
        assert_eq!(undocumented(&Repo::of(&[(PATH, &surplus)])).len(), 1);
    }

    #[test]
    fn an_instrument_that_nobody_records_is_found() {
        let mut files = vec![
            (
                "proto/telemetry/src/worker.rs",
                "impl W {\n    pub fn one(&self) {}\n    pub fn two(&self) {}\n}",
            ),
            ("proto/telemetry/src/control.rs", ""),
            ("workers/worker/src/observe.rs", "fn f(m: &W) { m.one(); }"),
        ];
        assert_eq!(unrecorded(&Repo::of(&files)).len(), 1);
        files.push(("workers/worker/src/other.rs", "fn f(m: &W) { m.two(); }"));
        assert_eq!(unrecorded(&Repo::of(&files)), []);
    }
}
