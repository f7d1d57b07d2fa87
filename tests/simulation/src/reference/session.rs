//! The descriptions that we send on one leg (RFC 3264 §5, §8): the session stays, the version grows by one with every change
//! and only then, m-lines are never taken away.

use um_sip::Message;

use super::sdp;
use crate::ledger::Fault;

/// What was sent last.
#[derive(Debug, Default)]
pub(super) struct Session {
    last: Option<Description>,
}

#[derive(Debug)]
struct Description {
    /// Origin without its version.
    origin: String,
    version: u64,
    lines: usize,
    text: String,
}

impl Session {
    /// Judges the body of a message of ours, if it is a description.
    pub(super) fn judge(&mut self, message: &Message) -> Result<(), Fault> {
        let Some(text) = sdp(message) else { return Ok(()) };
        let description = read(text).ok_or_else(|| format!("a description without origin:\n{text}"))?;
        if let Some(last) = &self.last {
            let Description { origin, version, lines, text: before } = last;
            if *origin != description.origin {
                return Err(format!("the origin was {origin} and is {}", description.origin));
            }
            let wanted = version + u64::from(*before != description.text);
            if description.version != wanted {
                let found = description.version;
                return Err(format!("the version is {found}, not {wanted}\n{before}\n{text}"));
            }
            if description.lines < *lines {
                return Err(format!("{lines} m-lines became {}", description.lines));
            }
        }
        self.last = Some(description);
        Ok(())
    }
}

fn read(text: &str) -> Option<Description> {
    let origin = text.lines().find_map(|line| line.strip_prefix("o="))?;
    let mut words: Vec<&str> = origin.split(' ').collect();
    let version = (words.len() == 6).then(|| words.remove(2))?.parse().ok()?;
    let lines = text.lines().filter(|line| line.starts_with("m=")).count();
    Some(Description { origin: words.join(" "), version, lines, text: text.to_owned() })
}
