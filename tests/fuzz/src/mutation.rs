//! Small damage to a message that was good, as the input decides: what a generator of bytes alone would hardly ever reach.

use crate::source::Source;

/// A message before its end is written: damage to the body leaves Content-Length true unless that is what is damaged.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Start line and header lines, each with its line break, without Content-Length.
    pub head: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
    /// Added to the length that is announced.
    pub length_error: i64,
}

impl Draft {
    /// A message that is still good.
    #[must_use]
    pub fn new(head: impl Into<Vec<u8>>, body: impl Into<Vec<u8>>) -> Self {
        Self { head: head.into(), body: body.into(), length_error: 0 }
    }

    /// Takes decisions, and with them damage or none.
    #[must_use]
    pub fn damaged(mut self, source: &mut Source<'_>) -> Self {
        let first = source.byte();
        if first < HARMLESS {
            return self;
        }
        for _ in 0..=first % 4 {
            self.damage(source);
        }
        self
    }

    /// Writes the message.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let length = i64::try_from(self.body.len()).unwrap_or(0).saturating_add(self.length_error);
        self.head.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
        self.head.extend_from_slice(&self.body);
        self.head
    }

    fn damage(&mut self, source: &mut Source<'_>) {
        let kind = source.byte();
        let place = usize::from(source.word());
        match kind % 12 {
            0 => replace_byte(&mut self.head, place, source.byte()),
            1 => replace_byte(&mut self.body, place, source.byte()),
            2 => delete(&mut self.head, place, source.below(32) + 1),
            3 => delete(&mut self.body, place, source.below(32) + 1),
            4 => insert(&mut self.head, place, source.pick(WORDS).as_bytes()),
            5 => insert(&mut self.body, place, source.pick(WORDS).as_bytes()),
            6 => self.lines(|lines, at| lines.insert(at, lines[at].clone()), place),
            7 => self.lines(|lines, at| drop(lines.remove(at)), place),
            8 => self.lines(|lines, at| lines.swap(at, 1), place),
            9 => {
                let value = source.pick(WORDS);
                self.lines(|lines, at| set_value(&mut lines[at], value), place);
            }
            10 => number(&mut self.head, place, source.pick(NUMBERS)),
            _ => self.length_error = i64::from(source.byte()) - 128,
        }
    }

    /// Changes the header lines, if there are any behind the start line.
    fn lines(&mut self, change: impl FnOnce(&mut Vec<Vec<u8>>, usize), place: usize) {
        let mut lines: Vec<Vec<u8>> =
            self.head.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if lines.len() > 1 {
            let at = 1 + place % (lines.len() - 1);
            change(&mut lines, at);
            self.head = lines.concat();
        }
    }
}

fn replace_byte(bytes: &mut [u8], place: usize, byte: u8) {
    if let Some(at) = place.checked_rem(bytes.len()) {
        bytes[at] = byte;
    }
}

fn delete(bytes: &mut Vec<u8>, place: usize, count: usize) {
    if let Some(at) = place.checked_rem(bytes.len()) {
        bytes.drain(at..(at + count).min(bytes.len()));
    }
}

fn insert(bytes: &mut Vec<u8>, place: usize, what: &[u8]) {
    let at = place % (bytes.len() + 1);
    bytes.splice(at..at, what.iter().copied());
}

fn set_value(line: &mut Vec<u8>, value: &str) {
    let colon = line.iter().position(|byte| *byte == b':').map_or(line.len(), |at| at + 1);
    line.truncate(colon);
    line.extend_from_slice(value.as_bytes());
    line.extend_from_slice(b"\r\n");
}

/// Replaces the first run of digits at or behind a place.
fn number(bytes: &mut Vec<u8>, place: usize, number: &str) {
    let Some(at) = place.checked_rem(bytes.len()) else { return };
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else { return };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(start..start + length, number.bytes());
}

/// First bytes below this mean no damage, so that most messages of a run are good.
const HARMLESS: u8 = 0xd0;

/// Numbers at which something may overflow or mean something else.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "00000000001",
    "65536",
];

/// What means something somewhere.
const WORDS: &[&str] = &[
    "\r\n",
    "\r\n ",
    "\r\n\r\n",
    "\n",
    "\0",
    " ",
    "\t",
    ",",
    ";",
    "\"",
    "\\",
    "<",
    ">",
    "%00",
    "%0d%0a",
    "@",
    ":",
    "\u{e9}",
    "*",
    ";tag=um0-0000000000000000",
    ";branch=z9hG4bKum0-0000000000000000",
    ";lr",
    ";rport",
    ";received=127.0.0.9",
    ";transport=tcp",
    ";maddr=127.0.0.9",
    "sip:[::1]:5060",
    "sips:a@b",
    "tel:+15550100",
    "<sip:127.0.0.3;lr>",
    "<sip:127.0.0.3>",
    "Require: 100rel\r\n",
    "Supported: 100rel, timer, replaces\r\n",
    "Session-Expires: 90;refresher=uas\r\n",
    "Max-Forwards: 0\r\n",
    "Replaces: call-0@fuzz;to-tag=um0-1;from-tag=caller0\r\n",
    "Refer-To: <sip:2002@pbx.example.com>\r\n",
    "Content-Type: multipart/mixed;boundary=x\r\n",
    "Content-Encoding: gzip\r\n",
    "Proxy-Require: nothing\r\n",
    "Record-Route: <sip:127.0.0.3;lr>\r\n",
    "m=audio 0 RTP/AVP 0\r\n",
    "m=image 4000 udptl t38\r\n",
    "a=inactive\r\n",
    "c=IN IP4 0.0.0.0\r\n",
    "c=IN IP6 ::1\r\n",
];
