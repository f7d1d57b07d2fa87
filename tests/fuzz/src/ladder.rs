//! Real call flows as input of the targets `endpoint` and `engine`: where fuzzing starts from. A ladder is written with the
//! same choices that the targets read.

/// Writes the input of a target, step by step.
#[derive(Clone, Debug, Default)]
pub struct Ladder(Vec<u8>);

/// How a message is chosen; see [`crate::scene::Scene::incoming`].
#[derive(Clone, Copy, Debug)]
pub enum Inside {
    /// In a dialog that a party began: over the n-th latest response of ours.
    Theirs(u8),
    /// In a dialog that we began: over the n-th latest request of ours.
    Ours(u8),
}

impl Ladder {
    /// Starts; the first byte sets the stage.
    #[must_use]
    pub fn new(first: u8) -> Self {
        Self(vec![first])
    }

    /// Gives the input.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// A step of the target's own.
    #[must_use]
    pub fn step(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// An INVITE of a caller to the pilot.
    #[must_use]
    pub fn invite(self, caller: u8, features: u16, body: u8) -> Self {
        let [high, low] = features.to_be_bytes();
        // Step, a message, of a caller, INVITE, his number, the pilot, nothing replaced, features, body, no damage.
        self.step(&[0, 0, 0, caller, 0, 0, high, low, body, 0])
    }

    /// A response to the n-th latest request of ours; the status by its place in the list.
    #[must_use]
    pub fn respond(self, request: u8, status: u8, features: u16, body: u8) -> Self {
        let [high, low] = features.to_be_bytes();
        self.step(&[0, 2, request, status, 0, 0, high, low, body, 0])
    }

    /// A request in a dialog; the method by its place in the list.
    #[must_use]
    pub fn inside(self, dialog: Inside, method: u8, features: u16, body: u8) -> Self {
        let [high, low] = features.to_be_bytes();
        let counted = !matches!(method, ACK | CANCEL);
        match dialog {
            Inside::Theirs(back) if counted => self.step(&[0, 4, back, method, 0, 0, high, low, body, 0]),
            Inside::Theirs(back) => self.step(&[0, 4, back, method, 0, high, low, body, 0]),
            Inside::Ours(back) => self.step(&[0, 5, back, method, 0, 0, 0, high, low, body, 0]),
        }
    }

    /// REFER has one choice more: whom to.
    #[must_use]
    pub fn refer(self, dialog: Inside, features: u16, place: u8) -> Self {
        let [high, low] = features.to_be_bytes();
        match dialog {
            Inside::Theirs(back) => self.step(&[0, 4, back, REFER, 0, 0, high, low, place, 0, 0]),
            Inside::Ours(back) => self.step(&[0, 5, back, REFER, 0, 0, 0, high, low, place, 0, 0]),
        }
    }

    /// The engine's next deadline.
    #[must_use]
    pub fn time_out(self) -> Self {
        self.step(&[9])
    }
}

/// The ladders of the engine, by name.
#[must_use]
pub fn engine() -> Vec<(&'static str, Vec<u8>)> {
    let mut ladders = Vec::new();
    for (name, first) in [("udp", 0), ("tcp", 3), ("names", 4)] {
        ladders.push((name, answered(first).inside(Inside::Theirs(0), BYE, 0, 0).bytes()));
    }
    let up = || answered(0);
    ladders.extend(changed());
    ladders.extend([
        ("hang-up-by-server", up().inside(Inside::Ours(0), BYE, 0, 0).bytes()),
        ("cancelled", set_up(0).inside(Inside::Theirs(0), CANCEL, 0, 0).respond(0, BUSY_487, 0, 0).bytes()),
        ("failover", set_up(0).respond(0, UNAVAILABLE, 0, 0).respond(1, OK, 0, AUDIO).bytes()),
        ("redirected", set_up(0).step(&[0, 2, 0, MOVED, 0, 3, 0, 0, 0, 0]).respond(0, OK, 0, AUDIO).bytes()),
        ("silent", set_up(0).time_out().time_out().time_out().time_out().respond(0, OK, 0, AUDIO).bytes()),
        ("challenged", set_up(0).respond(0, UNAUTHORIZED, 1 << 7, 0).respond(0, OK, 0, AUDIO).bytes()),
        (
            "reliable",
            Ladder::new(0)
                .invite(0, 1, AUDIO)
                .respond(0, RINGING, RELIABLE, AUDIO)
                .respond(0, OK, 0, 0)
                .inside(Inside::Theirs(0), PRACK, 0, 0)
                .respond(1, OK, 0, 0)
                .inside(Inside::Theirs(0), ACK, 0, 0)
                .bytes(),
        ),
        (
            "delayed-offer",
            Ladder::new(0)
                .invite(0, 0, 0)
                .respond(0, OK, 0, AUDIO)
                .inside(Inside::Theirs(0), ACK, 0, AUDIO)
                .bytes(),
        ),
        (
            "session-timer",
            Ladder::new(0)
                .invite(0, 1 | 1 << 3, AUDIO)
                .respond(0, OK, 1 << 3, AUDIO)
                .inside(Inside::Theirs(0), ACK, 0, 0)
                .time_out()
                .time_out()
                .time_out()
                .bytes(),
        ),
        (
            "line-drained-after-its-calls",
            up().inside(Inside::Theirs(0), BYE, 0, 0)
                .respond(0, OK, 0, 0)
                .step(&[11, 5, 11, 5, 15, 4])
                .bytes(),
        ),
        ("forced", up().step(&[15, 3]).bytes()),
        ("started-by-server", Ladder::new(0).step(&[0, 1, 0, 1, 3, 0, 0, 0, AUDIO, 0]).bytes()),
    ]);
    ladders
}

/// Calls that are changed, moved or spoken into once they are up.
fn changed() -> Vec<(&'static str, Vec<u8>)> {
    let up = || answered(0);
    vec![
        (
            "held",
            up().inside(Inside::Theirs(0), INVITE, 0, HOLD).inside(Inside::Theirs(0), ACK, 0, 0).bytes(),
        ),
        (
            "held-by-server",
            up().inside(Inside::Ours(0), INVITE, 0, HOLD).inside(Inside::Ours(0), ACK, 0, 0).bytes(),
        ),
        ("updated", up().inside(Inside::Theirs(0), UPDATE, 0, AUDIO).bytes()),
        (
            "fax",
            up().inside(Inside::Ours(0), INVITE, 0, FAX)
                .respond(0, OK, 0, FAX)
                .inside(Inside::Ours(0), ACK, 0, 0)
                .bytes(),
        ),
        (
            "glare",
            up().inside(Inside::Theirs(0), INVITE, 0, HOLD).inside(Inside::Ours(1), INVITE, 0, AUDIO).bytes(),
        ),
        ("digits", up().inside(Inside::Theirs(0), INFO, 0, DIGIT).bytes()),
        ("referred", up().refer(Inside::Ours(0), 1, 0).respond(0, OK, 0, AUDIO).bytes()),
        ("referred-attended", up().refer(Inside::Ours(0), 1, 1).respond(0, OK, 0, AUDIO).bytes()),
    ]
}

/// The ladders of the endpoint, by name.
#[must_use]
pub fn endpoint() -> Vec<(&'static str, Vec<u8>)> {
    let rung = |first| Ladder::new(first).invite(0, 0, AUDIO).step(&[7, 0, 1, 0, 0]);
    let called = |first| Ladder::new(first).step(&[9, 0, first]).respond(0, RINGING, 0, 0);
    let bye = [10, 4, 0];
    vec![
        (
            "uas-udp",
            rung(0)
                .step(&[7, 0, 3, 1, 0])
                .inside(Inside::Theirs(0), ACK, 0, 0)
                .inside(Inside::Theirs(0), BYE, 0, 0)
                .step(&[7, 0, 3, 0, 0])
                .bytes(),
        ),
        ("uas-tcp", rung(1).step(&[7, 0, 3, 1, 0]).inside(Inside::Theirs(0), ACK, 0, 0).step(&bye).bytes()),
        ("uas-unacknowledged", rung(0).step(&[7, 0, 3, 1, 1]).step(&[5, 5, 5, 6, 4]).step(&bye).bytes()),
        ("uas-cancelled", rung(0).inside(Inside::Theirs(0), CANCEL, 0, 0).step(&[7, 0, 8, 0, 0]).bytes()),
        (
            "uac-udp",
            called(0).respond(0, OK, 0, AUDIO).step(&[10, 2, 0]).step(&bye).respond(0, OK, 0, 0).bytes(),
        ),
        ("uac-tcp", called(1).respond(0, OK, 0, AUDIO).step(&[10, 2, 0]).step(&[10, 6, 0, 0]).bytes()),
        ("uac-refused", called(0).respond(0, UNAVAILABLE, 0, 0).bytes()),
        ("uac-cancelled", called(0).step(&[10, 0, 0]).respond(0, BUSY_487, 0, 0).bytes()),
        ("uac-abandoned", called(0).step(&[10, 1, 0]).respond(0, OK, 0, AUDIO).step(&bye).bytes()),
    ]
}

/// A call that rings.
fn set_up(first: u8) -> Ladder {
    Ladder::new(first).invite(0, 1 << 5, AUDIO).respond(0, RINGING, 0, 0)
}

/// A call that is up.
fn answered(first: u8) -> Ladder {
    set_up(first).respond(0, OK, 0, AUDIO).inside(Inside::Theirs(0), ACK, 0, 0)
}

const RINGING: u8 = 1;
const OK: u8 = 3;
const MOVED: u8 = 8;
const UNAUTHORIZED: u8 = 10;
const BUSY_487: u8 = 20;
const UNAVAILABLE: u8 = 26;

const ACK: u8 = 0;
const BYE: u8 = 3;
const CANCEL: u8 = 4;
const PRACK: u8 = 5;
const UPDATE: u8 = 6;
const INVITE: u8 = 7;
const INFO: u8 = 9;
const REFER: u8 = 10;

const AUDIO: u8 = 1;
const HOLD: u8 = 2;
const FAX: u8 = 4;
const DIGIT: u8 = 6;

const RELIABLE: u16 = 1 << 13;
