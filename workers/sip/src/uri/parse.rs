//! Reading of URIs (RFC 3261 §25.1 `SIP-URI`, RFC 3966 §3).

use super::{Scheme, Uri};
use crate::{error::Fault, host::HostPort, scan, scan::Span};

pub(super) fn parse(bytes: &[u8]) -> Result<Uri, Fault> {
    if bytes.is_empty() {
        return Err(Fault::Empty);
    }
    if scan::ends_uri(bytes) {
        return Err(Fault::Syntax);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Encoding)?;
    let (scheme_text, rest) = scan::split_once(bytes, b':').ok_or(Fault::Scheme)?;
    let scheme = scheme(scheme_text).ok_or(Fault::Scheme)?;
    let mut uri = Uri {
        text: text.into(),
        scheme,
        scheme_end: u32::try_from(scheme_text.len()).map_err(|_| Fault::Scheme)?,
        user: None,
        password: None,
        host: None,
        params: Span::default(),
        headers: Span::default(),
    };
    match scheme {
        Scheme::Sip | Scheme::Sips => parse_sip(&mut uri, bytes, rest)?,
        Scheme::Tel => parse_tel(&mut uri, bytes, rest)?,
        Scheme::Other if rest.is_empty() => return Err(Fault::Empty),
        Scheme::Other => {}
    }
    Ok(uri)
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !text.first()?.is_ascii_alphabetic() || !text.iter().all(valid) {
        return None;
    }
    let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
    Some(match () {
        () if is(b"sip") => Scheme::Sip,
        () if is(b"sips") => Scheme::Sips,
        () if is(b"tel") => Scheme::Tel,
        () => Scheme::Other,
    })
}

/// The first `@` ends the user part: neither host nor what follows it may hold one that is not escaped, while
/// the user may hold `;`, `?`, `/`, `&`, `=`, `+`, `$` and `,` (RFC 4475 §3.1.1.12).
fn parse_sip(uri: &mut Uri, whole: &[u8], rest: &[u8]) -> Result<(), Fault> {
    let mut rest = rest;
    if let Some((user_info, behind)) = scan::split_once(rest, b'@') {
        let (user, password) = match scan::split_once(user_info, b':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        if user.is_empty() {
            return Err(Fault::Syntax);
        }
        uri.user = Some(Span::within(whole, user));
        uri.password = password.map(|password| Span::within(whole, password));
        rest = behind;
    }
    let host_end = memchr::memchr2(b';', b'?', rest).unwrap_or(rest.len());
    let (host_port, rest) = rest.split_at_checked(host_end).ok_or(Fault::Host)?;
    uri.host = Some(HostPort::parse(host_port)?);
    let (params, headers) = match scan::split_once(rest, b'?') {
        Some((params, headers)) => (params, Some(headers)),
        None => (rest, None),
    };
    uri.params = Span::within(whole, params);
    uri.headers = headers.map(|headers| Span::within(whole, headers)).unwrap_or_default();
    Ok(())
}

fn parse_tel(uri: &mut Uri, whole: &[u8], rest: &[u8]) -> Result<(), Fault> {
    let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
    let (number, params) = rest.split_at_checked(end).ok_or(Fault::Syntax)?;
    let digits = number.strip_prefix(b"+").unwrap_or(number);
    let valid = |byte: &u8| {
        byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#' | b'-' | b'.' | b'(' | b')' | b'%')
    };
    if digits.is_empty() || !digits.iter().all(valid) {
        return Err(Fault::Syntax);
    }
    uri.user = Some(Span::within(whole, number));
    uri.params = Span::within(whole, params);
    Ok(())
}
