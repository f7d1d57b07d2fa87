//! Which shard of the signalling core a message belongs to.
//!
//! Shards share nothing, so every socket must hand a message to the shard that has its state. What we generate
//! carries the shard's number: the branch of our requests comes back in responses (RFC 3261 §8.1.3.3), our tag
//! comes back as To tag of the peer's requests (§12.2.1.1), and our Contact as their Request-URI. What began
//! elsewhere — a new INVITE, its retransmission, its CANCEL — is spread by its Call-ID, which all of them share.
//!
//! ```text
//! response                         top Via branch is ours  → its shard   else Call-ID
//! request, To tag ours             → its shard (ACK, BYE, re-INVITE and the CANCEL of one …)
//! INVITE, to-tag of Replaces ours  → its shard: that of the dialog whose place it takes (RFC 3891 §3)
//! request, Request-URI is our Contact → its shard
//! any other request                → hash of Call-ID
//! ```
//!
//! A number beyond the current count of shards (the worker was restarted with fewer) counts as none, so the
//! message lands by its Call-ID with its whole dialog. The scan trusts nothing and never fails: bytes that are
//! no message belong to some shard too, which refuses them. (The CANCEL of an INVITE with Replaces has no Replaces, so
//! another shard may answer it 481; such an INVITE has its final response at once.)

use crate::{
    header_name::HeaderName,
    message::{header_end, leading_breaks, line_end, split_header},
    name_addr::NameAddrSpans,
    replaces::Replaces,
    scan,
    uri::Uri,
    via::{MAGIC_COOKIE, ViaSpans},
};

/// URI parameter of our Contact that carries the shard.
pub const CONTACT_PARAM: &str = "um-shard";

/// What every mark of ours begins with; the shard's number and a `-` follow.
const MARK: &str = "um";

/// Makes a tag that leads back to `shard`; `unique` is a token, which makes it unique (RFC 3261 §19.3).
#[must_use]
pub fn tag(shard: u16, unique: &str) -> String {
    format!("{MARK}{shard:x}-{unique}")
}

/// Makes a branch that leads back to `shard`; `unique` is a token, which makes it unique.
#[must_use]
pub fn branch(shard: u16, unique: &str) -> String {
    format!("{MAGIC_COOKIE}{MARK}{shard:x}-{unique}")
}

/// Marks a Contact URI with `shard`.
#[must_use]
pub fn contact(uri: &Uri, shard: u16) -> Uri {
    uri.with_param(CONTACT_PARAM, Some(&format!("{shard:x}")))
}

/// The shard that made this tag; `None` for a tag that is not ours.
#[must_use]
pub fn of_tag(tag: &[u8]) -> Option<u16> {
    let (number, _) = scan::split_once(tag.strip_prefix(MARK.as_bytes())?, b'-')?;
    hex(number)
}

/// The shard that made this branch; `None` for a branch that is not ours.
#[must_use]
pub fn of_branch(branch: &[u8]) -> Option<u16> {
    of_tag(branch.strip_prefix(MAGIC_COOKIE.as_bytes())?)
}

/// The shard in a Contact URI of ours, from its text.
#[must_use]
pub fn of_contact(uri: &[u8]) -> Option<u16> {
    let value = uri.split(|byte| matches!(byte, b';' | b'?')).find_map(|param| {
        param.strip_prefix(CONTACT_PARAM.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    });
    hex(value?)
}

/// The shard that `message` belongs to, of `shards`; 0 if there are none or the message says nothing.
#[must_use]
pub fn owner(message: &[u8], shards: u16) -> u16 {
    if shards <= 1 {
        return 0;
    }
    let clues = Clues::gather(message);
    let marked = clues.marked.filter(|shard| *shard < shards);
    marked.unwrap_or_else(|| by_hash(clues.call_id, shards))
}

/// What a message says about its shard.
struct Clues<'a> {
    marked: Option<u16>,
    call_id: &'a [u8],
}

impl<'a> Clues<'a> {
    fn gather(message: &'a [u8]) -> Self {
        let mut clues = Self { marked: None, call_id: &[] };
        let start = leading_breaks(message);
        let Some(end) = line_end(message, start) else { return clues };
        let line = message.get(start..end.content).unwrap_or_default();
        let response = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
        let wanted = if response { HeaderName::Via } else { HeaderName::To };
        let (mut call_id_seen, mut wanted_seen) = (false, false);
        // Only an INVITE outside a dialog is read to its end.
        let may_replace = line.starts_with(b"INVITE ");
        let mut replaced = None;
        let mut at = end.next;
        while !(call_id_seen && wanted_seen && (clues.marked.is_some() || !may_replace))
            && let Some(end) = header_end(message, at).filter(|end| end.content > at)
        {
            let header = message.get(at..end.content).and_then(split_header);
            at = end.next;
            let Some((name, value)) = header else { continue };
            let name = HeaderName::from_bytes(name);
            if name == Some(wanted) && !wanted_seen {
                wanted_seen = true;
                clues.marked = if response { via_mark(value) } else { to_mark(value) };
            } else if name == Some(HeaderName::Replaces) && may_replace {
                replaced = replaced.or_else(|| replaces_mark(value));
            } else if name == Some(HeaderName::CallId) && !call_id_seen {
                call_id_seen = true;
                clues.call_id = value;
            }
        }
        clues.marked = clues.marked.or(replaced);
        if !response && clues.marked.is_none() {
            clues.marked = of_contact(line.split(|byte| *byte == b' ').nth(1).unwrap_or_default());
        }
        clues
    }
}

fn via_mark(value: &[u8]) -> Option<u16> {
    let first = scan::split_outside(value, b',').next().map(scan::trim)?;
    of_branch(ViaSpans::scan(first).ok()?.branch?.of(first))
}

fn to_mark(value: &[u8]) -> Option<u16> {
    of_tag(NameAddrSpans::scan(value).ok()?.tag(value).ok()??.of(value))
}

fn replaces_mark(value: &[u8]) -> Option<u16> {
    of_tag(Replaces::parse(value).ok()?.to_tag().as_bytes())
}

/// One to four hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Spreads Call-IDs evenly, by the high bits of their fingerprint.
fn by_hash(call_id: &[u8], shards: u16) -> u16 {
    let high = scan::fingerprint(call_id) >> 32;
    u16::try_from((high * u64::from(shards)) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests;
