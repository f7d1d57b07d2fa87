//! The first line of a message: request line or status line (RFC 3261 §7.1, §7.2).

use crate::{error::Cause, method::Method, scan, scan::Span, status::StatusCode};

/// A start line; spans point into the message.
#[derive(Clone, Debug)]
pub(crate) enum StartLine {
    /// `INVITE sip:6000@um.example.com SIP/2.0`
    Request { method: Method, uri: Span },
    /// `SIP/2.0 200 OK`
    Status { code: StatusCode, reason: Span },
}

/// What a faulty start line still tells about its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokenStart {
    pub(crate) cause: Cause,
    /// It may be a request that expects a response: neither a status line nor an ACK.
    pub(crate) answerable: bool,
}

impl StartLine {
    /// Reads the line between `start` and `end` of a message.
    pub(crate) fn parse(bytes: &[u8], start: usize, end: usize) -> Result<Self, BrokenStart> {
        let line = bytes.get(start..end).unwrap_or_default();
        if starts_with_sip(line) {
            return Self::parse_status(bytes, line).map_err(|cause| BrokenStart { cause, answerable: false });
        }
        let answerable = !line.starts_with(b"ACK ");
        Self::parse_request(bytes, line).map_err(|cause| BrokenStart { cause, answerable })
    }

    fn parse_request(bytes: &[u8], line: &[u8]) -> Result<Self, Cause> {
        let (method, rest) = scan::split_once(line, b' ').ok_or(Cause::StartLine)?;
        let (uri, version) = scan::split_once(rest, b' ').ok_or(Cause::StartLine)?;
        let method = Method::from_bytes(method).ok_or(Cause::StartLine)?;
        if uri.is_empty() || scan::ends_uri(uri) {
            return Err(Cause::StartLine);
        }
        check_version(version)?;
        Ok(Self::Request { method, uri: Span::within(bytes, uri) })
    }

    fn parse_status(bytes: &[u8], line: &[u8]) -> Result<Self, Cause> {
        let (version, rest) = scan::split_once(line, b' ').ok_or(Cause::StartLine)?;
        check_version(version)?;
        // Some stacks leave out the blank in front of an empty phrase; there is nothing to confuse it with.
        let (code, reason) = scan::split_once(rest, b' ').unwrap_or((rest, &[]));
        if code.len() != 3 {
            return Err(Cause::StartLine);
        }
        let code = scan::number(code).and_then(StatusCode::new).ok_or(Cause::StartLine)?;
        Ok(Self::Status { code, reason: Span::within(bytes, reason) })
    }
}

fn starts_with_sip(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

fn check_version(version: &[u8]) -> Result<(), Cause> {
    if version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let digits = version.strip_prefix(b"SIP/").and_then(|number| scan::split_once(number, b'.'));
    match digits {
        Some((major, minor))
            if scan::number::<u32>(major).is_some() && scan::number::<u32>(minor).is_some() =>
        {
            Err(Cause::Version)
        }
        _ => Err(Cause::StartLine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(line: &str) -> Cause {
        StartLine::parse(line.as_bytes(), 0, line.len()).map(|_| ()).expect_err("refused").cause
    }

    #[test]
    fn reads_both_kinds() {
        let line = b"INVITE sip:a@b SIP/2.0";
        assert!(matches!(
            StartLine::parse(line, 0, line.len()),
            Ok(StartLine::Request { method: Method::Invite, uri }) if uri.of(line) == b"sip:a@b"
        ));
        for line in ["SIP/2.0 100 ", "SIP/2.0 100", "sip/2.0 100 Hier wird verbunden \u{fc}"] {
            let parsed = StartLine::parse(line.as_bytes(), 0, line.len());
            assert!(matches!(parsed, Ok(StartLine::Status { code: StatusCode::TRYING, .. })), "{line}");
        }
    }

    /// RFC 4475 §3.1.2.6 to §3.1.2.11.
    #[test]
    fn refuses_blanks_in_wrong_places() {
        for line in [
            "INVITE  sip:user@example.com  SIP/2.0",
            "INVITE sip:user@example.com; lr SIP/2.0",
            "OPTIONS sip:remote@example.com SIP/2.0  ",
            "INVITE <sip:user@example.com> SIP/2.0",
            "INVITE sip:a@b",
            "INVITE",
            "",
            "GET / HTTP/1.1",
            "SIP/2.0 4294967301 better not break",
            "SIP/2.0 99 Low",
        ] {
            assert_eq!(cause(line), Cause::StartLine, "{line}");
        }
    }

    /// RFC 4475 §3.1.2.16.
    #[test]
    fn another_version_is_told_apart() {
        assert_eq!(cause("OPTIONS sip:t.watson@example.org SIP/7.0"), Cause::Version);
        assert_eq!(cause("SIP/3.0 200 OK"), Cause::Version);
    }
}
