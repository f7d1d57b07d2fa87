//! `Contact` (RFC 3261 §20.10): where to send next, with preference and lifetime; also the targets of a 3xx.

use std::fmt;

use crate::{error::Fault, name_addr::NameAddr, scan};

/// One Contact value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Address and parameters.
    pub address: NameAddr,
    /// Preference in thousandths, 1000 when none is written; a `q` that is not a number from 0 to 1 counts as
    /// 1000 too, for the contact itself is usable.
    pub q: u16,
}

impl Contact {
    /// Makes one without parameters.
    #[must_use]
    pub fn new(address: NameAddr) -> Self {
        Self { address, q: HIGHEST_Q }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let address = NameAddr::parse(value)?;
        let q = address.params.raw_value("q").and_then(parse_q).unwrap_or(HIGHEST_Q);
        Ok(Self { address, q })
    }

    /// The `expires` parameter in seconds; a value above 2³²−1 counts as that (RFC 3261 §20.10).
    ///
    /// # Errors
    /// When it is there and is not a number.
    pub fn expires(&self) -> Result<Option<u32>, Fault> {
        match self.address.params.raw_value("expires") {
            None => Ok(None),
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Some(scan::number(text.as_bytes()).unwrap_or(u32::MAX)))
            }
            Some(_) => Err(Fault::Number),
        }
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The Contact header of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings (RFC 3261 §10.2.2).
    All,
    /// The values in their order; may be empty.
    List(Vec<Contact>),
}

impl Contacts {
    pub(crate) fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Self, Fault> {
        let mut list = Vec::new();
        let mut star = false;
        for value in values {
            if value == b"*" {
                star = true;
            } else {
                list.push(Contact::parse(value)?);
            }
        }
        match (star, list.is_empty()) {
            (true, true) => Ok(Self::All),
            (true, false) => Err(Fault::Syntax),
            (false, _) => Ok(Self::List(list)),
        }
    }

    /// The values; none for `*`.
    #[must_use]
    pub fn list(&self) -> &[Contact] {
        match self {
            Self::All => &[],
            Self::List(list) => list,
        }
    }

    /// The values by falling preference, equals in their order (RFC 3261 §8.1.3.4).
    #[must_use]
    pub fn by_preference(&self) -> Vec<&Contact> {
        let mut ordered: Vec<&Contact> = self.list().iter().collect();
        ordered.sort_by_key(|contact| std::cmp::Reverse(contact.q));
        ordered
    }
}

/// Reads `qvalue`: 0 to 1 with at most three decimals.
fn parse_q(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 {
        return None;
    }
    let thousandths: u16 =
        if decimals.is_empty() { 0 } else { scan::number(format!("{decimals:0<3}").as_bytes())? };
    let whole: u16 = scan::number(whole.as_bytes())?;
    whole.checked_mul(HIGHEST_Q)?.checked_add(thousandths).filter(|q| *q <= HIGHEST_Q)
}

const HIGHEST_Q: u16 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Contacts, Fault> {
        Contacts::read(values.iter().map(|value| value.as_bytes()))
    }

    /// The two contacts of the appendix's 302.
    #[test]
    fn the_preferred_contact_comes_first() {
        let contacts =
            read(&["<sip:6000@a;transport=tcp>;q=0.1", "<sip:6000@b:5067;transport=Tcp>;q=0.9", "<sip:c>"]);
        let contacts = contacts.expect("valid");
        let order: Vec<_> =
            contacts.by_preference().iter().map(|contact| contact.address.uri.to_string()).collect();
        assert_eq!(order, ["sip:c", "sip:6000@b:5067;transport=Tcp", "sip:6000@a;transport=tcp"]);
    }

    #[test]
    fn q_has_three_decimals_at_most() {
        assert_eq!(parse_q("0.7"), Some(700));
        assert_eq!(parse_q("1.000"), Some(1000));
        assert_eq!(parse_q("0"), Some(0));
        assert_eq!(parse_q("."), None);
        for text in ["1.1", "0.1234", "x", "-1", "2", ""] {
            assert_eq!(parse_q(text), None, "{text}");
        }
    }

    #[test]
    fn reads_instance_parameters_and_star() {
        let text = "\"D\" <sip:2001@10.0.0.9;transport=tcp>;+sip.instance=\"<urn:uuid:f81d4fae-7dec>\";reg-id=1;expires=60";
        let contact = Contact::parse(text.as_bytes()).expect("valid");
        assert_eq!(
            contact.address.params.value("+sip.instance").as_deref(),
            Some("<urn:uuid:f81d4fae-7dec>")
        );
        assert_eq!(contact.expires(), Ok(Some(60)));
        assert_eq!(read(&["*"]), Ok(Contacts::All));
        assert_eq!(read(&["*", "<sip:a>"]), Err(Fault::Syntax));
    }

    /// RFC 4475 §3.1.2.4: too large is not the same as wrong.
    #[test]
    fn an_overlong_lifetime_is_the_longest() {
        let expires = |text: &str| Contact::parse(text.as_bytes()).expect("valid").expires();
        assert_eq!(expires("<sip:a>;expires=280297596632815"), Ok(Some(u32::MAX)));
        assert_eq!(expires("<sip:a>;expires=x"), Err(Fault::Number));
    }
}
