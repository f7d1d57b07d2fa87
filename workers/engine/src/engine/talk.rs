//! What a call keeps of the offers and answers between its two legs: the machine that orders them, the peers' requests
//! that wait, and our own that are under way.

use std::time::Instant;

use um_media::sdp::Agreement;
use um_sip::endpoint::{ClientTransaction, ServerTransaction};

use crate::call::exchange::Exchange;
use crate::call::exchange::opening::Opening;
use crate::call::exchange::words::{Carrier, Manners, Means};
use crate::call::words::Side;

/// The offers and answers of one call.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) exchange: Exchange,
    inbound: Under,
    outbound: Under,
    /// What the far end that was asked last has accepted.
    pub(super) agreement: Option<Agreement>,
    /// Whether both legs take T.38.
    pub(super) fax: bool,
    /// The first offer and answer with the caller, if his PRACK is still to come.
    pub(super) opening: Option<Opening>,
}

/// What is under way on one leg.
#[derive(Debug, Default)]
pub(super) struct Under {
    /// The peer's request that waits for its answer.
    pub(super) parked: Option<(ServerTransaction, Carrier)>,
    /// Our request.
    pub(super) sent: Option<ClientTransaction>,
    /// Whether our offer has had its answer, in a reliable provisional response.
    pub(super) answered: bool,
    /// Whether our 2xx held an offer, which the ACK has to answer.
    pub(super) owed: bool,
}

impl Talk {
    pub(super) fn new(inbound: (Manners, Means), outbound: (Manners, Means), fax: bool) -> Box<Self> {
        Box::new(Self {
            exchange: Exchange::new(inbound, outbound),
            inbound: Under::default(),
            outbound: Under::default(),
            agreement: None,
            fax,
            opening: None,
        })
    }

    pub(super) const fn under(&mut self, side: Side) -> &mut Under {
        match side {
            Side::Inbound => &mut self.inbound,
            Side::Outbound => &mut self.outbound,
        }
    }

    /// The side whose re-INVITE waits in this transaction.
    pub(super) fn parked_in(&self, transaction: ServerTransaction) -> Option<Side> {
        let holds = |under: &Under| under.parked.is_some_and(|(parked, _)| parked == transaction);
        Side::ALL.into_iter().find(|side| match side {
            Side::Inbound => holds(&self.inbound),
            Side::Outbound => holds(&self.outbound),
        })
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.exchange.poll_timeout()
    }
}
