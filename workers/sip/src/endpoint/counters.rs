//! Why something received was dropped or refused by the endpoint itself: closed enums, counted.

/// Why a received message led to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// Only line breaks: a keep-alive, not a fault (RFC 5626 §4.4.1).
    KeepAlive,
    /// Not SIP, or a response or ACK too broken to answer.
    Malformed,
    /// The flow names a line that the endpoint does not have (any more).
    UnknownLine,
    /// A message that belongs to another shard: a fault of the driver.
    Misrouted,
    /// An ACK that belongs to no transaction and no dialog.
    StrayAck,
    /// A response that belongs to no transaction; reported as an event if it is a 2xx to an INVITE.
    StrayResponse,
    /// A response that would open more dialogs than one INVITE, or the endpoint, may have; a provisional one is still
    /// reported, without a dialog.
    TooManyForks,
    /// A reliable provisional response ahead of one that is missing (RFC 3262 §4): it comes again.
    OutOfOrder,
    /// A 1xx or 2xx to an INVITE whose headers make no dialog; a 2xx is reported as [`super::ResponseKind::Broken`].
    Undialogable,
}

impl DropReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 9] = [
        Self::KeepAlive,
        Self::Malformed,
        Self::UnknownLine,
        Self::Misrouted,
        Self::StrayAck,
        Self::StrayResponse,
        Self::TooManyForks,
        Self::OutOfOrder,
        Self::Undialogable,
    ];

    /// Name for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep_alive",
            Self::Malformed => "malformed",
            Self::UnknownLine => "unknown_line",
            Self::Misrouted => "misrouted",
            Self::StrayAck => "stray_ack",
            Self::StrayResponse => "stray_response",
            Self::TooManyForks => "too_many_forks",
            Self::OutOfOrder => "out_of_order",
            Self::Undialogable => "undialogable",
        }
    }
}

/// Why the endpoint refused a request by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefuseReason {
    /// Malformed but addressable: 400, 505 or 513.
    Malformed,
    /// No room for another transaction or dialog: 503.
    Full,
    /// In no dialog that exists, a CANCEL without its INVITE, or a PRACK without its response: 481.
    NoDialog,
    /// The same request over a second way: 482 (RFC 3261 §8.2.2.2).
    Merged,
    /// CSeq lower than before, or an INVITE or UPDATE during another, or with an offer before the last one is answered: 500
    /// with `Retry-After` (§12.2.2, §14.2, RFC 3311 §5.2).
    Disorder,
    /// An INVITE that crosses one of ours, or an offer that crosses ours: 491 (§14.2, RFC 3311 §5.2).
    Pending,
    /// Method, scheme, extension or body is none that the user serves: 405, 406, 415, 416, 420, 493 or 501 (§8.2).
    Unsupported,
}

impl RefuseReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Full,
        Self::NoDialog,
        Self::Merged,
        Self::Disorder,
        Self::Pending,
        Self::Unsupported,
    ];

    /// Name for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Full => "full",
            Self::NoDialog => "no_dialog",
            Self::Merged => "merged",
            Self::Disorder => "disorder",
            Self::Pending => "pending",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Plain counters; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    drops: [u64; DropReason::ALL.len()],
    refusals: [u64; RefuseReason::ALL.len()],
    /// Requests received again and dealt with by their transaction.
    pub retransmissions_received: u64,
    /// Requests and responses sent again because a timer ran out.
    pub retransmissions_sent: u64,
    /// 300–699 to an INVITE that nobody acknowledged.
    pub failures_unacknowledged: u64,
    /// Requests that the user of the endpoint never answered.
    pub requests_unanswered: u64,
    /// Requests answered by [`Endpoint::shed`](super::Endpoint::shed), repetitions of them included.
    pub shed: u64,
    /// ACKs of such answers that were dropped unread.
    pub shed_acknowledged: u64,
}

impl Counters {
    /// Returns how many messages were dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    /// Returns how many requests were refused for a reason.
    #[must_use]
    pub fn refused(&self, reason: RefuseReason) -> u64 {
        self.refusals[reason as usize]
    }

    pub(crate) fn on_drop(&mut self, reason: DropReason) {
        self.drops[reason as usize] += 1;
    }

    pub(crate) fn on_refusal(&mut self, reason: RefuseReason) {
        self.refusals[reason as usize] += 1;
    }
}
