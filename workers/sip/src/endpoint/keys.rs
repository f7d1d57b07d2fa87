//! The keys under which transactions are found, as flat bytes (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2).
//!
//! A key is built in a scratch buffer for a look-up and copied only when a transaction is made.

/// Starts a key of fields; none of them can hold a NUL, because no token, host or tag can.
pub(super) fn key<'a>(scratch: &'a mut Vec<u8>, fields: &[&[u8]]) -> &'a [u8] {
    scratch.clear();
    for field in fields {
        scratch.extend_from_slice(field);
        scratch.push(0);
    }
    scratch
}
