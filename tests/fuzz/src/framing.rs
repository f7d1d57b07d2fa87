//! A stream: however it is cut into pieces, the same frames come out, and no more is kept than the limits allow.

use um_sip::{Cause, Frame, Framer, Limits};

use crate::source::Source;

/// Runs the target. The first bytes say how the rest is cut.
pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let cuts: Vec<usize> = (0..4).map(|_| usize::from(source.byte()) + 1).collect();
    let stream = source.remainder();
    let whole = read(stream, &[stream.len().max(1)]);
    for cuts in [&cuts[..], &[1]] {
        let pieces = read(stream, cuts);
        assert_eq!(whole, pieces, "cut by {cuts:?}");
    }
}

/// Everything that a stream gives, and the cause at which it was lost.
fn read(mut stream: &[u8], cuts: &[usize]) -> (Vec<Frame>, Option<Cause>) {
    let limits =
        Limits { stream_message_bytes: 2_048, header_line_bytes: 256, headers: 32, ..Limits::default() };
    let mut framer = Framer::new(limits);
    let mut frames = Vec::new();
    let mut lost = None;
    let mut cuts = cuts.iter().cycle();
    while !stream.is_empty() {
        let (piece, rest) = stream.split_at((*cuts.next().unwrap_or(&1)).min(stream.len()));
        framer.push(piece);
        stream = rest;
        loop {
            match framer.poll() {
                Ok(Some(frame)) => {
                    assert!(lost.is_none(), "a frame of a stream that is lost");
                    if let Frame::Message(bytes) = &frame {
                        assert!(bytes.len() <= 2_048, "{} bytes in a message", bytes.len());
                    }
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(error) => assert!(lost.replace(error.cause).is_none(), "lost twice"),
            }
        }
    }
    (frames, lost)
}
