//! SIP messages as text, for peers that share no code with the product: header values by name, responses, framing.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The whole text.
    pub text: String,
}

impl Message {
    /// Takes a message out of the front of a stream's bytes, if a whole one is there.
    ///
    /// # Errors
    ///
    /// What is there is not text, or its `Content-Length` is not a number.
    pub fn take(bytes: &mut Vec<u8>) -> Result<Option<Self>> {
        while bytes.starts_with(b"\r\n") {
            bytes.drain(..2);
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let head = Self { text: std::str::from_utf8(&bytes[..end]).context("a head of text")?.to_owned() };
        let length = match head.header("Content-Length").or_else(|| head.header("l")) {
            Some(value) => value.parse::<usize>().context("a Content-Length")?,
            None => 0,
        };
        let whole = end + 4 + length;
        if bytes.len() < whole {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        bytes.drain(..whole);
        Ok(Some(Self { text }))
    }

    /// Returns the first line.
    #[must_use]
    pub fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Returns the method of a request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.first_line().split(' ').next().unwrap_or_default()
    }

    /// Returns the status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.first_line().strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// Returns the Request-URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.first_line().split(' ').nth(1).unwrap_or_default()
    }

    /// Returns the value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().skip(1).find_map(|line| value_of(line, name))
    }

    /// Returns the values of all headers of that name.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().skip(1).filter_map(move |line| value_of(line, name))
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// Returns the URI inside a header of that name, with neither brackets nor what stands outside of them.
    #[must_use]
    pub fn uri_in(&self, name: &str) -> Option<&str> {
        let value = self.header(name)?;
        match value.split_once('<') {
            Some((_, rest)) => rest.split('>').next(),
            None => value.split(';').next(),
        }
    }

    /// Returns the response to this request; `tag` goes on a To that has none, `more` are whole header lines.
    #[must_use]
    pub fn response(&self, line: &str, tag: &str, more: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {line}\r\n");
        for via in self.headers("Via") {
            let _ = write!(text, "Via: {via}\r\n");
        }
        for route in self.headers("Record-Route") {
            let _ = write!(text, "Record-Route: {route}\r\n");
        }
        for name in ["From", "Call-ID", "CSeq"] {
            let _ = write!(text, "{name}: {}\r\n", self.header(name).unwrap_or_default());
        }
        let to = self.header("To").unwrap_or_default();
        let tag = if to.contains(";tag=") || tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let _ = write!(text, "To: {to}{tag}\r\n{more}");
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }
}

fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

/// Returns a session description for one PCMU stream.
#[must_use]
pub fn description(host: std::net::IpAddr, port: u16) -> String {
    let family = if host.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
}
