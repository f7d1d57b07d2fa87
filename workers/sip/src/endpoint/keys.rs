//! The keys under which transactions are found, as flat bytes (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2).
//!
//! A key is built in a scratch buffer for a look-up and copied only when a transaction is made.

use crate::via::MAGIC_COOKIE;

/// Starts a key of fields; none of them can hold a NUL, because no token, host or tag can.
pub(super) fn key<'a>(scratch: &'a mut Vec<u8>, fields: &[&[u8]]) -> &'a [u8] {
    scratch.clear();
    for field in fields {
        scratch.extend_from_slice(field);
        scratch.push(0);
    }
    scratch
}

/// What tells the server transactions of a peer of RFC 2543 apart, beside Via and method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Former<'a> {
    pub(crate) call_id: &'a [u8],
    pub(crate) from_tag: &'a [u8],
    pub(crate) cseq: u32,
    pub(crate) uri: &'a [u8],
}

/// The key of a server transaction (RFC 3261 §17.2.3), from branch and sent-by of the topmost Via. A branch without the
/// magic cookie, or with nothing behind it (RFC 4475 §3.2.1), comes from a peer of RFC 2543: then Call-ID, From tag, CSeq
/// and Request-URI tell transactions apart.
pub(crate) fn server<'s>(
    scratch: &'s mut Vec<u8>,
    (branch, host, port): (&[u8], &[u8], Option<u16>),
    method: &[u8],
    former: &Former<'_>,
) -> &'s [u8] {
    let port = port.map(u16::to_be_bytes).unwrap_or_default();
    if branch.len() > MAGIC_COOKIE.len() && branch.starts_with(MAGIC_COOKIE.as_bytes()) {
        return key(scratch, &[branch, host, &port, method]);
    }
    let cseq = former.cseq.to_be_bytes();
    let Former { call_id, from_tag, uri, .. } = former;
    key(scratch, &[branch, host, &port, method, call_id, from_tag, &cseq, uri])
}
