//! The caller's first offer and answer, while the call is set up: which of our responses to his INVITE carries which
//! description, and which of them are reliable (RFC 3262 §5, RFC 3261 §13.2.1, RFC 6337 §2.1).
//!
//! ```text
//!  he offered:   Open --unreliable 1xx: preview--> Open --reliable 1xx: answer--> Sent --PRACK--> Done
//!                  |                                                              (2xx without description)
//!                  +--2xx: answer--> Done
//!  he did not:   Open --reliable 1xx: offer--> Sent --PRACK: answer--> Done       (2xx without description)
//!                  +--2xx: offer--> Sent --ACK: answer--> Done
//! ```

/// The caller's side of the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    offerer: Offerer,
    reliability: Reliability,
    stage: Stage,
}

/// Who makes the first offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offerer {
    /// The caller, in his INVITE.
    Caller,
    /// We, in the first response that may carry it.
    Us,
}

/// Whether our 101–199 are reliable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliability {
    /// The caller does not ask for it.
    Plain,
    /// He has `Require: 100rel`.
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Sent,
    Done,
}

/// What a response carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// No description.
    Nothing,
    /// The answer to the caller's offer.
    Answer,
    /// Our offer.
    Offer,
}

/// A provisional response to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provisional {
    /// Whether it is sent reliably.
    pub(crate) reliability: Reliability,
    /// Its description.
    pub(crate) load: Load,
}

/// What the description in an ACK or PRACK, or its absence, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// No description was due.
    NothingDue,
    /// It is the answer to our offer.
    Answer,
    /// The answer is missing: the call cannot go on.
    Missing,
    /// A new offer, in a PRACK (RFC 3262 §5).
    Offer,
}

impl Opening {
    pub(crate) const fn new(offerer: Offerer, reliability: Reliability) -> Self {
        Self { offerer, reliability, stage: Stage::Open }
    }

    /// Begins a 101–199. `known`: the answer to the caller's offer is known.
    pub(crate) fn provisional(&mut self, known: bool) -> Provisional {
        let reliability = self.reliability;
        let load = match (self.stage, self.offerer) {
            (Stage::Open, Offerer::Caller) if known => Load::Answer,
            // Only a reliable one may carry an offer, and the first reliable one must.
            (Stage::Open, Offerer::Us) if reliability == Reliability::Required => Load::Offer,
            (Stage::Open | Stage::Sent | Stage::Done, Offerer::Caller | Offerer::Us) => Load::Nothing,
        };
        if reliability == Reliability::Required && load != Load::Nothing {
            self.stage = Stage::Sent;
        }
        Provisional { reliability, load }
    }

    /// Begins the 2xx.
    pub(crate) fn answer(&mut self) -> Load {
        match (self.stage, self.offerer) {
            (Stage::Open, Offerer::Caller) => {
                self.stage = Stage::Done;
                Load::Answer
            }
            (Stage::Open, Offerer::Us) => {
                self.stage = Stage::Sent;
                Load::Offer
            }
            (Stage::Sent | Stage::Done, Offerer::Caller | Offerer::Us) => Load::Nothing,
        }
    }

    /// Judges a PRACK by whether it has a description.
    pub(crate) fn on_prack(&mut self, described: bool) -> Closing {
        match (self.stage, self.offerer, described) {
            (Stage::Sent, Offerer::Us, _) => {
                self.stage = Stage::Done;
                if described { Closing::Answer } else { Closing::Missing }
            }
            (Stage::Sent, Offerer::Caller, _) => {
                self.stage = Stage::Done;
                if described { Closing::Offer } else { Closing::NothingDue }
            }
            (Stage::Done, _, true) => Closing::Offer,
            // Nothing reliable with a description has been sent: a description here answers nothing and cannot be an offer.
            (Stage::Open, _, _) | (Stage::Done, _, false) => Closing::NothingDue,
        }
    }

    /// Judges the ACK of our 2xx by whether it has a description.
    pub(crate) fn on_ack(&mut self, described: bool) -> Closing {
        match (self.stage, self.offerer, described) {
            (Stage::Sent, Offerer::Us, true) => {
                self.stage = Stage::Done;
                Closing::Answer
            }
            (Stage::Sent, Offerer::Us, false) => Closing::Missing,
            // An ACK never carries an offer (RFC 3261 §13.2.1): what is there answers nothing.
            (Stage::Open | Stage::Sent | Stage::Done, Offerer::Caller | Offerer::Us, _) => {
                Closing::NothingDue
            }
        }
    }

    pub(crate) const fn offerer(&self) -> Offerer {
        self.offerer
    }

    /// Whether the first offer has its answer for good, so that either side may offer anew (RFC 3311 §5.1).
    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(offerer: Offerer, reliability: Reliability) -> Opening {
        Opening::new(offerer, reliability)
    }

    #[test]
    fn an_unreliable_provisional_only_previews_the_answer() {
        let mut caller = opening(Offerer::Caller, Reliability::Plain);
        assert_eq!(caller.provisional(false).load, Load::Nothing);
        assert_eq!(caller.provisional(true).load, Load::Answer);
        assert!(!caller.is_done());
        assert_eq!(caller.answer(), Load::Answer);
        assert_eq!(caller.on_ack(false), Closing::NothingDue);
        assert!(caller.is_done());
    }

    #[test]
    fn a_reliable_provisional_answers_for_good_and_the_2xx_is_bare() {
        let mut caller = opening(Offerer::Caller, Reliability::Required);
        let bare = Provisional { reliability: Reliability::Required, load: Load::Nothing };
        assert_eq!(caller.provisional(false), bare);
        assert_eq!(caller.provisional(true).load, Load::Answer);
        assert_eq!(caller.provisional(true), bare);
        assert_eq!(caller.on_prack(false), Closing::NothingDue);
        assert!(caller.is_done());
        assert_eq!(caller.answer(), Load::Nothing);
    }

    #[test]
    fn a_caller_without_offer_gets_ours_in_the_2xx_and_answers_in_the_ack() {
        let mut caller = opening(Offerer::Us, Reliability::Plain);
        assert_eq!(caller.provisional(true).load, Load::Nothing);
        assert_eq!(caller.answer(), Load::Offer);
        assert_eq!(caller.on_ack(false), Closing::Missing);
        assert_eq!(caller.on_ack(true), Closing::Answer);
        assert!(caller.is_done());
    }

    #[test]
    fn the_first_reliable_provisional_must_carry_our_offer() {
        let mut caller = opening(Offerer::Us, Reliability::Required);
        assert_eq!(caller.provisional(false).load, Load::Offer);
        assert_eq!(caller.provisional(true).load, Load::Nothing);
        let mut silent = caller;
        assert_eq!(silent.on_prack(false), Closing::Missing);
        assert_eq!(caller.on_prack(true), Closing::Answer);
        assert_eq!(caller.answer(), Load::Nothing);
        assert_eq!(caller.on_ack(true), Closing::NothingDue);
    }

    #[test]
    fn a_prack_may_offer_once_the_first_offer_has_its_answer() {
        let mut caller = opening(Offerer::Caller, Reliability::Required);
        caller.provisional(true);
        assert_eq!(caller.on_prack(true), Closing::Offer);
        assert_eq!(caller.on_prack(true), Closing::Offer);
        let mut early = opening(Offerer::Caller, Reliability::Required);
        early.provisional(false);
        assert_eq!(early.on_prack(true), Closing::NothingDue);
    }
}
