//! Values: a two-byte format tag, then the encoded message.
//!
//! The tag lets a reader refuse a value that a newer version wrote, instead of misreading it.

use bytes::{BufMut, Bytes, BytesMut};

/// How a value's bytes are to be read: big-endian in the value's first two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format(pub u16);

/// Protobuf messages of the package `um.v1`.
pub const PROTOBUF_V1: Format = Format(1);

/// A value that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Shorter than the tag.
    #[error("value has no format tag")]
    Untagged,
    /// Written in another format than the reader knows.
    #[error("value has format {}, expected {}", found.0, expected.0)]
    Unknown {
        /// What the value says.
        found: Format,
        /// What the reader can read.
        expected: Format,
    },
}

/// Returns `body` with `format` in front.
#[must_use]
pub fn tag(format: Format, body: &[u8]) -> Bytes {
    let mut value = BytesMut::with_capacity(2 + body.len());
    value.put_u16(format.0);
    value.put_slice(body);
    value.freeze()
}

/// Returns the body of a value that must have `expected` as its format.
///
/// # Errors
/// The value has no tag or another one.
pub fn untag(expected: Format, value: &[u8]) -> Result<&[u8], ValueError> {
    let (tag, body) = value.split_first_chunk::<2>().ok_or(ValueError::Untagged)?;
    let found = Format(u16::from_be_bytes(*tag));
    if found == expected { Ok(body) } else { Err(ValueError::Unknown { found, expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_value_reads_back() {
        let value = tag(PROTOBUF_V1, b"body");
        assert_eq!(value.as_ref(), b"\0\x01body");
        assert_eq!(untag(PROTOBUF_V1, &value), Ok(b"body".as_slice()));
        assert_eq!(untag(PROTOBUF_V1, &tag(PROTOBUF_V1, b"")), Ok(b"".as_slice()));
    }

    #[test]
    fn other_formats_are_refused() {
        let found = Format(0x0102);
        assert_eq!(
            untag(PROTOBUF_V1, &tag(found, b"x")),
            Err(ValueError::Unknown { found, expected: PROTOBUF_V1 })
        );
        assert_eq!(untag(PROTOBUF_V1, b"x"), Err(ValueError::Untagged));
    }
}
