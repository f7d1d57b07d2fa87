//! `Warning` (RFC 3261 §20.43): what a response says beyond its status, in words.

use std::fmt;

use crate::{error::Fault, params::quote, scan};

/// One Warning value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is meant, 300 to 399 for SIP; any three digits are taken.
    pub code: u16,
    agent: Box<str>,
    /// The words, escapes resolved.
    pub text: Box<str>,
}

impl Warning {
    /// Makes one; an agent that is no host, port or token becomes `-`.
    #[must_use]
    pub fn new(code: u16, agent: &str, text: &str) -> Self {
        let agent = if is_agent(agent.as_bytes()) { agent } else { "-" };
        Self { code: code.clamp(100, 999), agent: agent.into(), text: text.into() }
    }

    /// Reads `304 isi.edu "Multicast not available"`.
    ///
    /// # Errors
    /// When code, agent or text is not what it must be.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let value = scan::trim(value);
        let blank = value.iter().position(|byte| scan::is_lws(*byte)).ok_or(Fault::Syntax)?;
        let (code, rest) = value.split_at_checked(blank).ok_or(Fault::Syntax)?;
        let code = scan::number(code).filter(|_| code.len() == 3).ok_or(Fault::Number)?;
        let rest = scan::trim_start(rest);
        let blank = rest.iter().position(|byte| scan::is_lws(*byte)).ok_or(Fault::Syntax)?;
        let (agent, text) = rest.split_at_checked(blank).ok_or(Fault::Syntax)?;
        let text = scan::trim_start(text);
        if !is_agent(agent) {
            return Err(Fault::Syntax);
        }
        if !text.starts_with(b"\"") || scan::quoted_end(text) != Some(text.len()) {
            return Err(Fault::Unbalanced);
        }
        let agent = std::str::from_utf8(agent).map_err(|_| Fault::Encoding)?;
        let text = scan::clean_text(text).ok_or(Fault::Encoding)?;
        Ok(Self { code, agent: agent.into(), text: scan::unquote(&text).into() })
    }

    /// Host or name of who says it.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.agent, quote(&self.text))
    }
}

/// `hostport` or `pseudonym`: visible characters that begin nothing else.
fn is_agent(agent: &[u8]) -> bool {
    let plain = |byte: &u8| scan::is_token(*byte) || matches!(byte, b':' | b'[' | b']');
    !agent.is_empty() && agent.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §20.43.
    #[test]
    fn a_warning_has_code_agent_and_words() {
        for text in [
            "307 isi.edu \"Session parameter 'foo' not understood\"",
            "301 [2001:db8::1]:5060 \"Incompatible network address type 'E.\\\"164'\"",
        ] {
            assert_eq!(
                Warning::parse(text.as_bytes()).map(|warning| warning.to_string()),
                Ok(text.to_owned())
            );
        }
        let warning = Warning::parse(b"399 umgate\r\n \"a, \\\"b\\\"\"").expect("valid");
        assert_eq!((warning.code, warning.agent(), &*warning.text), (399, "umgate", "a, \"b\""));
    }

    #[test]
    fn what_is_no_warning_is_refused_and_none_is_written() {
        for text in
            ["", "399", "399 a", "399 a b", "1812 overture \"In Progress\"", "399 \"a\" \"b\"", "399 a \"b"]
        {
            assert!(Warning::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Warning::new(9, "a b", "x\r\ny\"").to_string(), "100 - \"xy\\\"\"");
    }
}
