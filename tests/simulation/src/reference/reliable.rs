//! Reliable provisional responses (RFC 3262) both ways, and target refreshes that wait for their answer.

use std::collections::{BTreeMap, BTreeSet};

use um_sip::{HeaderName, Message, Method};

use crate::ledger::Fault;

/// What is known of the reliable responses of one leg.
#[derive(Debug, Default)]
pub(super) struct Reliable {
    /// Of ours: the last RSeq, by the CSeq of its INVITE, and whether its PRACK came.
    ours: BTreeMap<u32, (u32, bool)>,
    /// Of theirs: what may be acknowledged, as RAck says it, with the To tag.
    theirs: BTreeSet<(String, String)>,
    acknowledged: BTreeSet<(String, String)>,
    /// Contacts of requests that are not answered yet.
    refreshes: BTreeMap<(String, Method), String>,
}

impl Reliable {
    pub(super) fn refresh(&mut self, key: &(String, Method), target: String) {
        self.refreshes.insert(key.clone(), target);
    }

    /// The new target, if this response accepts a refresh.
    pub(super) fn refreshed(&mut self, key: &(String, Method), status: u16) -> Option<String> {
        if status < 200 {
            return None;
        }
        self.refreshes.remove(key).filter(|_| status < 300)
    }

    pub(super) fn refreshing(&self, target: &str) -> bool {
        self.refreshes.values().any(|refresh| refresh == target)
    }

    /// Their PRACK.
    pub(super) fn on_request(&mut self, message: &Message) {
        if *message.method() != Method::Prack {
            return;
        }
        let words = rack(message);
        let [rseq, cseq, _] = &words[..] else { return };
        if let (Ok(rseq), Ok(cseq)) = (rseq.parse::<u32>(), cseq.parse::<u32>())
            && let Some((last, done)) = self.ours.get_mut(&cseq)
        {
            *done |= *last == rseq;
        }
    }

    /// Their reliable response.
    pub(super) fn on_response(&mut self, message: &Message, status: u16) {
        if let Some(rseq) = rseq(message).filter(|_| (101..200).contains(&status)) {
            let cseq = message.cseq();
            let tag = message.to_tag().unwrap_or_default().to_owned();
            self.theirs.insert((format!("{rseq} {} {}", cseq.number, cseq.method), tag));
        }
    }

    /// Our PRACK: of something that came, once.
    pub(super) fn request(&mut self, message: &Message) -> Result<(), Fault> {
        if *message.method() != Method::Prack {
            return Ok(());
        }
        let key = (rack(message).join(" "), message.to_tag().unwrap_or_default().to_owned());
        if !self.theirs.contains(&key) {
            return Err(format!("a PRACK of {key:?}, which never came"));
        }
        if self.acknowledged.insert(key.clone()) { Ok(()) } else { Err(format!("a second PRACK of {key:?}")) }
    }

    /// Our reliable response: asked for, in order, and not before the PRACK of the one before.
    pub(super) fn response(
        &mut self,
        request: &Message,
        message: &Message,
        status: u16,
    ) -> Result<(), Fault> {
        let Some(rseq) = rseq(message) else { return Ok(()) };
        if !(101..200).contains(&status) || *message.method() != Method::Invite {
            return Err(format!("RSeq in a {status}"));
        }
        let asked =
            [HeaderName::Supported, HeaderName::Require].map(|name| request.lists_token(name, "100rel"));
        if asked == [false, false] {
            return Err("a reliable response to one who does not know them".to_owned());
        }
        let number = message.cseq().number;
        match self.ours.get(&number).copied() {
            Some((last, _)) if last + 1 != rseq => return Err(format!("RSeq {rseq} follows {last}")),
            Some((last, false)) => return Err(format!("RSeq {rseq} before the PRACK of {last}")),
            Some(_) | None => {}
        }
        self.ours.insert(number, (rseq, false));
        Ok(())
    }
}

fn rseq(message: &Message) -> Option<u32> {
    std::str::from_utf8(message.header_named("RSeq")?).ok()?.trim().parse().ok()
}

fn rack(message: &Message) -> Vec<String> {
    let value = message.header_named("RAck").unwrap_or_default();
    String::from_utf8_lossy(value).split_whitespace().map(str::to_owned).collect()
}
