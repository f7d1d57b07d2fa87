//! The offer of a dialog that has no answer yet (RFC 3264 §4, RFC 6337 §2): there is never more than one.
//!
//! ```text
//!  INVITE, UPDATE, PRACK with a session   --> Theirs --2xx, reliable 1xx, failure--> none
//!  reliable 1xx or 2xx to one without     --> Ours   --PRACK, ACK------------------> none
//! ```
//!
//! and the same with the sides exchanged. Only whether a message carries a session is asked, not what it says.

use super::Pending;
use crate::{
    endpoint::{ClientTransaction, ServerTransaction},
    header_name::HeaderName,
    message::Message,
    method::Method,
};

/// An offer without an answer, and the transaction that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Ours(Carrier),
    Theirs(Carrier),
}

/// The transaction whose request or response carries an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Server(ServerTransaction),
    Client(ClientTransaction),
}

impl Pending {
    /// A request of the peer with a session.
    pub(crate) fn on_session_in(&mut self, method: &Method, id: ServerTransaction) {
        let answers = matches!(self.offer, Some(Offer::Ours(Carrier::Server(_))));
        match Content::of(method) {
            Content::AnswerOrOffer if answers => self.offer = None,
            Content::Offer | Content::AnswerOrOffer => {
                self.offer = Some(Offer::Theirs(Carrier::Server(id)));
            }
            Content::Other => {}
        }
    }

    /// A request of ours with a session.
    pub(crate) fn on_session_out(&mut self, method: &Method, id: ClientTransaction) {
        let answers = matches!(self.offer, Some(Offer::Theirs(Carrier::Client(_))));
        match Content::of(method) {
            Content::AnswerOrOffer if answers => self.offer = None,
            Content::Offer | Content::AnswerOrOffer => self.offer = Some(Offer::Ours(Carrier::Client(id))),
            Content::Other => {}
        }
    }

    /// A reliable response with a session, ours or the peer's: it answers the offer of its INVITE, or is an offer itself.
    pub(crate) fn on_session_of_response(&mut self, carrier: Carrier, answers: bool) {
        let offer = match carrier {
            Carrier::Server(_) => Offer::Ours(carrier),
            Carrier::Client(_) => Offer::Theirs(carrier),
        };
        if answers {
            self.end_offer(carrier);
        } else {
            self.offer = Some(offer);
        }
    }

    /// The transaction is over, or its offer was answered or refused.
    pub(crate) fn end_offer(&mut self, carrier: Carrier) {
        if let Some(Offer::Ours(of) | Offer::Theirs(of)) = self.offer
            && of == carrier
        {
            self.offer = None;
        }
    }
}

/// What a session in a request is.
enum Content {
    Offer,
    /// The answer to an offer in the response that it acknowledges, else an offer.
    AnswerOrOffer,
    /// No part of offer and answer.
    Other,
}

impl Content {
    fn of(method: &Method) -> Self {
        match method {
            Method::Invite | Method::Update => Self::Offer,
            Method::Prack => Self::AnswerOrOffer,
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Register
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other(_) => Self::Other,
        }
    }
}

/// Whether a body of this type has a session description, alone or beside others.
pub(crate) fn is_session(content_type: &[u8]) -> bool {
    let begins =
        |with: &[u8]| content_type.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins(b"application/sdp") || begins(b"multipart/")
}

/// Whether a received message brings a session description.
pub(crate) fn brings_session(message: &Message) -> bool {
    !message.body().is_empty() && message.header(HeaderName::ContentType).is_some_and(is_session)
}
