//! How the peer's offer is answered: from what the other leg accepted, from what holds here, or from what the other leg offered.

use super::*;

impl Negotiation {
    /// Answers the peer's offer with what the other leg's far end accepted. When it was answered before, the same answer again.
    ///
    /// # Errors
    /// When there is no offer to answer, or `agreement` is about another offer's codecs. The offer stays pending then.
    pub fn answer(&mut self, agreement: &Agreement) -> Result<Answer, AnswerError> {
        let Pending::PeerOffered { stream, .. } = &self.pending else { return self.repeat(agreement) };
        match (stream, agreement) {
            (Stream::Audio(audio), Agreement::Audio(agreement)) => {
                let codecs = match agreement.kinship {
                    Kinship::Common => as_offered(&audio.codecs, agreement),
                    Kinship::Foreign => agreement.codecs.clone(),
                };
                let limit = agreement.direction;
                self.settle_audio(codecs, limit, agreement.ptime, agreement.max_ptime)
            }
            (Stream::Image(_), Agreement::Image(image)) => self.settle_image(image.terms.clone()),
            (Stream::Audio(_), Agreement::Image(_)) | (Stream::Image(_), Agreement::Audio(_)) => {
                Err(AnswerError::NoCommonCodec)
            }
        }
    }

    /// Answers a later offer of the peer without asking the other leg: the codecs in use, the direction mirrored (hold and refresh).
    ///
    /// # Errors
    /// When there is no offer to answer, nothing was agreed before, or what is in use is not offered any more.
    pub fn answer_locally(&mut self) -> Result<Answer, AnswerError> {
        let Pending::PeerOffered { stream, .. } = &self.pending else {
            return Err(WrongState::NoOffer.into());
        };
        let settled = self.settled.as_ref().ok_or(WrongState::NoOffer)?;
        match (stream, &settled.media) {
            (Stream::Audio(audio), Agreed::Audio { .. }) => {
                let codecs = common(&settled.in_use(), &audio.codecs);
                let (limit, ptime, max_ptime) = (settled.limit, audio.ptime, audio.max_ptime);
                self.settle_audio(codecs, limit, ptime, max_ptime)
            }
            (Stream::Image(_), Agreed::Image { terms, .. }) => {
                let terms = terms.clone();
                self.settle_image(terms)
            }
            (Stream::Audio(_), Agreed::Image { .. }) | (Stream::Image(_), Agreed::Audio { .. }) => {
                Err(AnswerError::NoCommonCodec)
            }
        }
    }

    /// Answers the peer's offer with what the other leg's peer offered as well, and says what that agrees on for that leg.
    ///
    /// # Errors
    /// When there is no offer to answer, or both have no codec in common. The offer stays pending then.
    pub fn answer_joining(&mut self, other: &Proposal) -> Result<(Answer, Agreement), AnswerError> {
        let Pending::PeerOffered { stream, .. } = &self.pending else {
            return Err(WrongState::NoOffer.into());
        };
        match (stream.clone(), &other.stream) {
            (Stream::Audio(audio), Proposed::Audio(proposal)) => {
                let codecs = common(&proposal.codecs, &audio.codecs);
                let Audio { remote, direction, ptime, max_ptime, .. } = audio;
                let agreement = AudioAgreement {
                    kinship: Kinship::Common,
                    codecs: codecs.clone(),
                    remote,
                    direction,
                    ptime,
                    max_ptime,
                };
                let answer = self.settle_audio(codecs, proposal.direction, ptime, max_ptime)?;
                Ok((answer, Agreement::Audio(agreement)))
            }
            (Stream::Image(image), Proposed::Image(terms)) => {
                let answer = self.settle_image(terms.clone())?;
                Ok((answer, Agreement::Image(image)))
            }
            (Stream::Audio(_), Proposed::Image(_)) | (Stream::Image(_), Proposed::Audio(_)) => {
                Err(AnswerError::NoCommonCodec)
            }
        }
    }

    /// Answers the peer's offer by refusing every stream; what held before still holds here.
    ///
    /// # Errors
    /// When there is no offer to answer.
    pub fn answer_nothing(&mut self) -> Result<Bytes, WrongState> {
        match std::mem::replace(&mut self.pending, Pending::Quiet) {
            Pending::PeerOffered { lines, .. } => Ok(self.publish(lines, Sketch::Nothing)),
            other @ (Pending::Quiet | Pending::WeOffered { .. }) => {
                self.pending = other;
                Err(WrongState::NoOffer)
            }
        }
    }

    /// Whether the peer's pending offer can be answered with what the other leg offers.
    pub fn joins(&self, other: &Proposal) -> bool {
        match (&self.pending, &other.stream) {
            (Pending::PeerOffered { stream: Stream::Audio(audio), .. }, Proposed::Audio(proposal)) => {
                common(&proposal.codecs, &audio.codecs).iter().any(|codec| codec.call.is_speech())
            }
            (Pending::PeerOffered { stream: Stream::Image(_), .. }, Proposed::Image(_)) => true,
            (Pending::PeerOffered { .. } | Pending::Quiet | Pending::WeOffered { .. }, _) => false,
        }
    }

    /// Whether the peer's pending offer can be answered with what holds.
    pub fn keeps(&self) -> bool {
        let Pending::PeerOffered { stream, .. } = &self.pending else { return false };
        self.settled.as_ref().is_some_and(|settled| match settled.change(stream) {
            Change::Nothing | Change::Place | Change::Direction => true,
            Change::Codecs => match stream {
                Stream::Audio(audio) => {
                    common(&settled.in_use(), &audio.codecs).iter().any(|codec| codec.call.is_speech())
                }
                Stream::Image(_) => false,
            },
            Change::Kind => false,
        })
    }

    /// Writes the answer to the pending audio offer and makes it hold. `limit` is our direction, were the peer's offer without one.
    fn settle_audio(
        &mut self,
        codecs: Vec<AgreedCodec>,
        limit: Direction,
        ptime: Option<u16>,
        max_ptime: Option<u16>,
    ) -> Result<Answer, AnswerError> {
        if !codecs.iter().any(|codec| codec.leg.is_speech()) {
            return Err(AnswerError::NoCommonCodec);
        }
        let Pending::PeerOffered { stream: Stream::Audio(audio), lines } = &self.pending else {
            return Err(WrongState::NoOffer.into());
        };
        let (audio, lines) = (audio.clone(), lines.clone());
        let direction = limit.and(audio.direction.mirrored());
        let formats: Vec<&Codec> = codecs.iter().map(|codec| &codec.leg).collect();
        self.numbers.note(&audio.codecs);
        let sketch = AudioSketch { protocol: &audio.protocol, codecs: &formats, direction, ptime, max_ptime };
        let body = self.publish(lines, Sketch::Audio(sketch));
        let media = Agreed::Audio { codecs, offered: Vec::new() };
        Ok(self.hold(Stream::Audio(audio), media, direction, limit, body))
    }

    /// Writes the answer to the pending fax offer and makes it hold.
    fn settle_image(&mut self, terms: ImageTerms) -> Result<Answer, AnswerError> {
        let Pending::PeerOffered { stream: Stream::Image(image), lines } = &self.pending else {
            return Err(WrongState::NoOffer.into());
        };
        let (image, lines) = (image.clone(), lines.clone());
        let body = self.publish(lines, Sketch::Image(&terms));
        let both = Direction::SendRecv;
        Ok(self.hold(Stream::Image(image), Agreed::Image { terms, ours: false }, both, both, body))
    }

    fn hold(
        &mut self,
        peer: Stream,
        media: Agreed,
        direction: Direction,
        limit: Direction,
        body: Bytes,
    ) -> Answer {
        self.pending = Pending::Quiet;
        self.before = None;
        self.settled = Some(Settled { peer, media, direction, limit, answer: Some(body.clone()) });
        Answer { body, diverged: false }
    }

    /// Repeats the answer that was given, if `agreement` still fits it.
    fn repeat(&self, agreement: &Agreement) -> Result<Answer, AnswerError> {
        let settled = self.settled.as_ref().ok_or(WrongState::NoOffer)?;
        let body = settled.answer.as_ref().ok_or(WrongState::NoOffer)?;
        let agreed = match agreement {
            Agreement::Audio(audio) => &audio.codecs,
            Agreement::Image(_) => return Err(AnswerError::NoCommonCodec),
        };
        let mut promised = settled.codecs().iter().filter(|codec| codec.call.is_speech());
        let kept = |codec: &AgreedCodec| agreed.iter().any(|far| far.call.same_encoding(&codec.call));
        if !promised.clone().any(kept) {
            return Err(AnswerError::NoCommonCodec);
        }
        Ok(Answer { body: body.clone(), diverged: !promised.all(kept) })
    }
}

/// Expresses what the far end accepted in the numbers and names of the one who offered; order and parameters stay the far end's.
fn as_offered(offered: &[Codec], agreement: &AudioAgreement) -> Vec<AgreedCodec> {
    let accepted: Vec<Codec> = agreement.codecs.iter().map(|codec| codec.call.clone()).collect();
    let in_offered_terms = |codec: AgreedCodec| {
        let AgreedCodec { call: ours, leg: call } = codec;
        let far = agreement.codecs.iter().find(|far| far.call.payload == call.payload);
        let parameters = far.and_then(|far| far.leg.parameters.clone());
        AgreedCodec { call, leg: Codec { parameters, ..ours } }
    };
    common(offered, &accepted).into_iter().map(in_offered_terms).collect()
}
