//! What the driver's [`Lobby`](crate::Lobby) does not let in: refused before it is read, unless it repeats what was let in.

use std::time::Instant;

use bytes::Bytes;
use um_sip::endpoint::Shed;
use um_sip::{Flow, Glance, glance};

use super::Engine;

impl Engine {
    /// Refuses a request with 503, without parsing it and without state; one that repeats a request that was let in is
    /// handled as such. Then the outputs are to be drained, as after [`Engine::handle_input`].
    pub fn handle_shed(&mut self, now: Instant, flow: Flow, bytes: Bytes) -> Shed {
        let shed = self.endpoint.shed(now, flow, &bytes);
        if shed == Shed::Repeated {
            self.endpoint.handle_message(now, flow, bytes);
        }
        self.settle(now);
        shed
    }

    /// Takes the ACK of what was shed out of the stream of messages; `false` when it is another message.
    pub fn absorb_shed_ack(&mut self, now: Instant, kind: Glance, bytes: &[u8]) -> bool {
        let absorbed = kind == Glance::Ack && self.endpoint.has_shed(now) && glance::acknowledges_shed(bytes);
        if absorbed {
            self.endpoint.note_shed_ack();
        }
        absorbed
    }
}
