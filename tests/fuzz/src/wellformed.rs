//! What every message that leaves us must be, checked without the parser of the product: RFC 3261 §7, §8.1.1 and §25.
//! Whatever a peer sent, nobody else may be confused by what we make of it.

/// Finds what is wrong with a whole message of ours.
///
/// # Errors
/// What is wrong.
pub fn message(bytes: &[u8]) -> Result<(), String> {
    let headers = headers(bytes)?;
    for name in ["from", "to", "call-id", "cseq", "content-length"] {
        expect_once(&headers, name)?;
    }
    if !headers.iter().any(|(name, _)| name == "via") {
        return Err("no Via".to_owned());
    }
    for name in ["max-forwards", "content-type"] {
        if headers.iter().filter(|(found, _)| found == name).count() > 1 {
            return Err(format!("{name} twice"));
        }
    }
    let is_request = !bytes.starts_with(b"SIP/2.0 ");
    // A response repeats these byte by byte, as its request had them (RFC 3261 §8.2.6.2): only who wrote them reads them.
    let repeated = ["via", "from", "to", "call-id", "cseq", "record-route", "timestamp"];
    // The ACK of a failure repeats the To of the response (§17.1.1.3).
    let is_ack = bytes.starts_with(b"ACK ");
    let own = |name: &str| if is_request { !(is_ack && name == "to") } else { !repeated.contains(&name) };
    for (name, value) in headers.iter().filter(|(name, _)| own(name)) {
        if controls(value) {
            return Err(shown(&format!("a control character in {name}"), value));
        }
    }
    if is_request {
        expect_once(&headers, "max-forwards")?;
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        let cseq = headers.iter().find(|(name, _)| name == "cseq").map(|(_, value)| value.as_slice());
        let same = cseq.and_then(|cseq| cseq.split(|byte| *byte == b' ').next_back()) == Some(method);
        if !same {
            return Err("CSeq names another method".to_owned());
        }
    }
    Ok(())
}

/// Finds what is wrong with the refusal of something that may have lacked any header.
///
/// # Errors
/// What is wrong.
pub fn refusal(bytes: &[u8]) -> Result<(), String> {
    let headers = headers(bytes)?;
    expect_once(&headers, "content-length")
}

/// The headers by lower-case name, after the form of start line, lines and length has been checked.
fn headers(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no empty line")?;
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let mut lines = lines(head)?.into_iter();
    start_line(lines.next().unwrap_or_default())?;
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    for line in lines {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            let (_, value) = headers.last_mut().ok_or("a fold before the first header")?;
            value.push(b' ');
            value.extend_from_slice(line.trim_ascii());
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| shown("no colon", line))?;
        let name = line[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(shown("no header name", line));
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        headers.push((long_form(&name).to_owned(), line[colon + 1..].trim_ascii().to_vec()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
    if length != Some(body.len()) {
        return Err(format!("Content-Length is {length:?}, the body has {}", body.len()));
    }
    Ok(headers)
}

/// The lines of a head. A line break is CR LF, and neither of the two stands anywhere else.
fn lines(head: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
        let line = rest[..at].strip_suffix(b"\r").ok_or_else(|| shown("a bare line feed", rest))?;
        lines.push(line);
        rest = &rest[at + 1..];
    }
    lines.push(rest);
    for line in &lines {
        if line.contains(&b'\r') {
            return Err(shown("a bare carriage return", line));
        }
        if line.is_empty() {
            return Err("an empty line".to_owned());
        }
    }
    Ok(lines)
}

fn start_line(line: &[u8]) -> Result<(), String> {
    if let Some(status) = line.strip_prefix(b"SIP/2.0 ") {
        let fits = status.len() >= 4 && status[..3].iter().all(u8::is_ascii_digit) && status[3] == b' ';
        return if fits { Ok(()) } else { Err(shown("no status line", line)) };
    }
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, uri, b"SIP/2.0"] = parts[..] else { return Err(shown("no request line", line)) };
    let plain = |byte: &u8| byte.is_ascii_graphic() || *byte >= 0x80;
    if method.is_empty() || !method.iter().copied().all(is_token) || !uri.iter().all(plain) {
        return Err(shown("no request line", line));
    }
    Ok(())
}

/// Whether a value holds a control character that no backslash escapes.
fn controls(value: &[u8]) -> bool {
    let mut escaped = false;
    value.iter().any(|byte| {
        let bad = byte.is_ascii_control() && *byte != b'\t' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        bad
    })
}

fn expect_once(headers: &[(String, Vec<u8>)], name: &str) -> Result<(), String> {
    match headers.iter().filter(|(found, _)| found == name).count() {
        1 => Ok(()),
        count => Err(format!("{name} stands there {count} times")),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

fn long_form(name: &str) -> &str {
    match name {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "l" => "content-length",
        "c" => "content-type",
        other => other,
    }
}

fn shown(what: &str, line: &[u8]) -> String {
    format!("{what}: {:?}", String::from_utf8_lossy(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nf: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>\r\nCall-ID: e\r\nCSeq: 1 BYE\r\nContent-Length: 1\r\n\r\nx";

    #[test]
    fn a_plain_request_is_well_formed() {
        assert_eq!(message(GOOD.as_bytes()), Ok(()));
    }

    #[test]
    fn every_flaw_is_seen() {
        let flaws = [
            ("CSeq: 1 BYE", "CSeq: 1 INFO"),
            ("Call-ID: e", "Call-ID: e\r\nCall-ID: f"),
            ("Call-ID: e", "Call-ID: e\nSubject: f"),
            ("Call-ID: e", "Call-ID: e\rf"),
            ("Call-ID: e", "Call-ID: e\0f"),
            ("Call-ID: e", "Call-ID: e\r\nno header"),
            ("Call-ID: e\r\n", ""),
            ("Max-Forwards: 70\r\n", ""),
            ("Length: 1", "Length: 2"),
            ("BYE sip:a@b ", "BYE sip:a@b;x=y z "),
        ];
        for (from, to) in flaws {
            let flawed = GOOD.replacen(from, to, 1);
            assert!(message(flawed.as_bytes()).is_err(), "{flawed}");
        }
    }
}
