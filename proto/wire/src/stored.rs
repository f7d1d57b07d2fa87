//! What stands in the store under a spec key: two bytes of format, then protobuf (api-design.md 6.2).

use prost::Message;
use prost_types::Timestamp;

use crate::v1;

/// A resource as it is stored: what the user wrote, and what the server keeps beside it.
#[derive(Clone, PartialEq, Message)]
pub struct Stored {
    /// What the user wrote, with its name, without output fields and secrets.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<v1::Resource>,
    /// Given at creation, never used again.
    #[prost(string, tag = "2")]
    pub uid: String,
    /// When it was created.
    #[prost(message, optional, tag = "3")]
    pub create_time: Option<Timestamp>,
    /// When what the user wrote last changed.
    #[prost(message, optional, tag = "4")]
    pub update_time: Option<Timestamp>,
    /// Its secret, sealed; empty without one.
    #[prost(bytes = "vec", tag = "6")]
    pub sealed: Vec<u8>,
    /// Which key sealed it.
    #[prost(string, tag = "7")]
    pub key_id: String,
    /// Who manages it through Apply; empty for one that was created otherwise.
    #[prost(string, tag = "5")]
    pub manager: String,
}

/// Why a stored value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// It is shorter than its format.
    #[error("the value has no format tag")]
    NoFormat,
    /// A later version wrote it.
    #[error("the value has format {0}, which this version does not read")]
    UnknownFormat(u16),
    /// It is damaged.
    #[error("the value is damaged: {0}")]
    Damaged(#[from] prost::DecodeError),
}

/// Puts the format before a message.
#[must_use]
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FORMAT.len() + message.encoded_len());
    bytes.extend_from_slice(&FORMAT);
    message.encode_raw(&mut bytes);
    bytes
}

/// Reads a message behind its format.
///
/// # Errors
///
/// What is wrong with the value.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, StoredError> {
    let (format, message) = bytes.split_first_chunk().ok_or(StoredError::NoFormat)?;
    if *format != FORMAT {
        return Err(StoredError::UnknownFormat(u16::from_be_bytes(*format)));
    }
    Ok(M::decode(message)?)
}

/// Format 1: protobuf of this version's messages.
const FORMAT: [u8; 2] = 1_u16.to_be_bytes();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_format_and_protobuf() {
        let user = v1::User { name: "users/dana".into(), ..Default::default() };
        let stored = Stored { resource: Some(user.into()), uid: "u".into(), ..Default::default() };
        let bytes = encode(&stored);
        assert_eq!(bytes[..2], [0, 1]);
        assert_eq!(decode::<Stored>(&bytes), Ok(stored));
    }

    #[test]
    fn other_formats_and_damage_are_told_apart() {
        assert_eq!(decode::<Stored>(&[0]), Err(StoredError::NoFormat));
        assert_eq!(decode::<Stored>(&[0, 2, 1]), Err(StoredError::UnknownFormat(2)));
        assert!(matches!(decode::<Stored>(&[0, 1, 0x0a, 9]), Err(StoredError::Damaged(_))));
    }
}
