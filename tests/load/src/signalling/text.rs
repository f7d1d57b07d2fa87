//! Just enough SIP for a generator that must be much cheaper than what it measures: headers found by their written name,
//! as the product, Kamailio and these generators write them.

use memchr::memmem;

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl<'a> Text<'a> {
    /// The status of a response; nothing for a request.
    pub(super) fn status(self) -> Option<u16> {
        let digits = self.0.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The method of a request.
    pub(super) fn method(self) -> &'a [u8] {
        self.0.split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    /// The value of the first header with this name, given as `\r\nName: `.
    pub(super) fn header(self, name: &str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// The values of all headers with this name, given as `\r\nName: `.
    pub(super) fn headers(self, name: &str) -> impl Iterator<Item = &'a str> {
        memmem::find_iter(self.0, name).filter_map(move |at| {
            let rest = self.0.get(at + name.len()..)?;
            let end = memchr::memchr(b'\r', rest)?;
            std::str::from_utf8(rest.get(..end)?).ok()
        })
    }

    /// The URI in angle brackets of the first header with this name.
    pub(super) fn uri(self, name: &str) -> Option<&'a str> {
        let value = self.header(name)?;
        let (_, behind) = value.split_once('<')?;
        Some(behind.split_once('>')?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_generator_needs() {
        let text = Text(
            b"SIP/2.0 200 OK\r\nVia: one\r\nVia: two\r\nContact: \"x\" <sip:a@b;c>;d\r\nCSeq: 2 BYE\r\n\r\n",
        );
        assert_eq!(text.status(), Some(200));
        assert_eq!(text.headers("\r\nVia: ").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(text.uri("\r\nContact: "), Some("sip:a@b;c"));
        assert_eq!(text.header("\r\nTo: "), None);
        assert_eq!(Text(b"INVITE sip:a SIP/2.0\r\n").method(), b"INVITE");
    }
}
