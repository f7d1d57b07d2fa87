//! The ladder of a call as text: caller, gateway, UM servers, one line a message, in the order in which they were seen.

use std::fmt;

use anyhow::Context as _;
use serde::Deserialize;
use um_double::{Arrow, Report, Rung};

/// What a server at the far side of the gateway saw.
#[derive(Debug, Deserialize)]
pub(super) struct FarLeg {
    #[serde(skip)]
    name: String,
    born_unix_ms: f64,
    rungs: Vec<Rung>,
    #[serde(skip)]
    is_gone: bool,
}

impl FarLeg {
    /// Reads the reply of a control port.
    pub(super) fn of(name: &str, reply: &serde_json::Value) -> anyhow::Result<Self> {
        let leg: Self = Self::deserialize(reply).with_context(|| format!("{name}: not a ladder"))?;
        Ok(Self { name: name.into(), ..leg })
    }

    /// A server that does not answer any more.
    pub(super) fn gone(name: &str) -> Self {
        Self { name: name.into(), born_unix_ms: 0.0, rungs: Vec::new(), is_gone: true }
    }
}

/// A call to be drawn.
pub(super) struct Drawing<'a> {
    pub(super) born_unix_ms: f64,
    pub(super) report: &'a Report,
    pub(super) far: &'a [FarLeg],
}

enum Side<'a> {
    Caller,
    Server(&'a str),
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rungs: Vec<(f64, Side<'_>, &Rung)> = self.near().chain(self.beyond()).collect();
        rungs.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let with_far = !self.far.is_empty();
        let lane = " ".repeat(LANE - 6);
        let right = if with_far { format!("{lane}UM servers") } else { String::new() };
        writeln!(f, "      time    caller{lane}gateway{right}")?;
        for (at, side, rung) in rungs {
            let empty = " ".repeat(LANE);
            match side {
                Side::Caller if with_far => {
                    writeln!(f, "{at:>8.1} ms    │{}│{empty}│", arrow(rung, Arrow::Out))?
                }
                Side::Caller => writeln!(f, "{at:>8.1} ms    │{}│", arrow(rung, Arrow::Out))?,
                Side::Server(name) => {
                    writeln!(f, "{at:>8.1} ms    │{empty}│{}│ {name}", arrow(rung, Arrow::In))?;
                }
            }
        }
        for leg in self.far.iter().filter(|leg| leg.is_gone) {
            writeln!(f, "               ({} is not running)", leg.name)?;
        }
        self.summary(f)
    }
}

impl Drawing<'_> {
    fn near(&self) -> impl Iterator<Item = (f64, Side<'_>, &Rung)> {
        let start = self.report.at_ms;
        self.report.ladder.iter().map(move |rung| (rung.at_ms - start, Side::Caller, rung))
    }

    /// Returns what the servers saw in the time of this call: the legs of one call have different Call-IDs.
    fn beyond(&self) -> impl Iterator<Item = (f64, Side<'_>, &Rung)> {
        let start = self.born_unix_ms + self.report.at_ms;
        let end = self.report.ended_ms.unwrap_or(f64::MAX) + LATEST_MS;
        self.far.iter().flat_map(move |leg| {
            let offset = leg.born_unix_ms - start;
            let at = move |rung: &Rung| rung.at_ms + offset;
            let here = move |rung: &&Rung| at(rung) >= -1.0 && at(rung) <= end;
            leg.rungs.iter().filter(here).map(move |rung| (at(rung), Side::Server(&leg.name), rung))
        })
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        match &report.outcome {
            Some(outcome) => write!(f, "\n  outcome   {outcome}")?,
            None => write!(f, "\n  outcome   none yet")?,
        }
        if let Some(setup) = report.setup_ms {
            write!(f, "\n  set-up    {setup:.0} ms from the INVITE to the 200")?;
        }
        if let Some(heard) = &report.announcement {
            let mailbox = heard.mailbox.as_deref().unwrap_or("none");
            write!(f, "\n  heard     UM server {}, mailbox {mailbox}, {}", heard.server, heard.service)?;
        } else if report.setup_ms.is_some() {
            write!(f, "\n  heard     nothing that can be understood")?;
        }
        if report.heard.len() > 1 {
            write!(f, "\n  MIXED UP  several voices: {}", report.heard.join(", "))?;
        }
        if report.setup_ms.is_some() {
            let packets = report.packets;
            let (sent, received, skipped) = (packets.sent, packets.received, packets.skipped);
            write!(f, "\n  RTP       {sent} packets sent, {received} received, {skipped} missing")?;
        }
        Ok(())
    }
}

/// Draws a message in a lane; `rightward` is the direction, seen by the agent, that goes to the right.
fn arrow(rung: &Rung, rightward: Arrow) -> String {
    let room = LANE - 7;
    // Parameters of a Request-URI say little and take much room.
    let line = rung.line.split(';').next().unwrap_or_default();
    let mut text: String = line.chars().take(room).collect();
    if text.len() < line.len() {
        text.pop();
        text.push('…');
    }
    let dashes = "─".repeat(room - text.chars().count());
    if rung.arrow == rightward {
        format!("── {text} {dashes}──▶")
    } else {
        format!("◀─ {text} {dashes}───")
    }
}

/// Characters between two columns.
const LANE: usize = 46;
/// How long after the caller's end the other leg may still speak, in milliseconds.
const LATEST_MS: f64 = 250.0;

#[cfg(test)]
mod tests {
    use um_double::{Outcome, caller::EndedBy};

    use super::*;

    fn rung(at_ms: f64, arrow: Arrow, line: &str) -> Rung {
        Rung {
            at_ms,
            arrow,
            peer: "127.0.0.1:5060".parse().expect("an address"),
            line: line.into(),
            cseq: "1 INVITE".into(),
            call_id: "c".into(),
        }
    }

    #[test]
    fn both_legs_stand_in_one_drawing_in_time_order() {
        let report = Report {
            call_id: "c".into(),
            outcome: Some(Outcome::Answered { ended_by: EndedBy::Caller }),
            at_ms: 10.0,
            ringing_ms: None,
            setup_ms: Some(20.0),
            ended_ms: Some(100.0),
            heard_ms: None,
            announcement: "um1/6000/2001/a".parse().ok(),
            heard: vec!["um1/6000/2001/a".into()],
            packets: Default::default(),
            ladder: vec![rung(10.0, Arrow::Out, "INVITE sip:6000@h"), rung(30.0, Arrow::In, "200 OK")],
        };
        let seen = [rung(505.0, Arrow::In, "INVITE sip:6000@um1"), rung(99_000.0, Arrow::In, "another call")];
        let far = [FarLeg { name: "um1".into(), born_unix_ms: 520.0, rungs: seen.to_vec(), is_gone: false }];
        let text = Drawing { born_unix_ms: 1000.0, report: &report, far: &far }.to_string();
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in\n{text}"));
        assert!(
            at("INVITE sip:6000@h ") < at("INVITE sip:6000@um1 ")
                && at("INVITE sip:6000@um1 ") < at("200 OK ")
        );
        assert!(!text.contains("another call"));
        assert!(text.contains("UM server um1, mailbox 2001, call answering"));
        let widths: Vec<usize> = text
            .lines()
            .filter(|line| line.contains("OK") || line.contains("@h"))
            .map(|line| line.chars().count())
            .collect();
        assert_eq!(widths[0], widths[1], "columns stand below each other:\n{text}");
    }
}
