//! What operators do and what befalls servers, at their time.

use bytes::Bytes;
use um_engine::{Drain, Input};
use um_sip::Transport;

use super::World;
use crate::conduct::Conduct;
use crate::scenario::Act;
use crate::wire::{self, Path};

impl World {
    pub(super) fn act(&mut self, act: &Act) {
        self.trace.note(self.now, format!("{act:?}"));
        match act {
            Act::Behave(server, conduct) => self.behave(*server, *conduct),
            Act::List(entries) => {
                self.site.list(entries.clone());
                self.configure();
            }
            Act::DrainLine => {
                self.site.drain_line();
                self.configure();
            }
            Act::OpenLine => {
                self.site.open_line();
                self.idle.clear();
                self.configure();
            }
            Act::Drain => {
                self.draining = true;
                self.tell_all(&Input::Drain(Drain::Start));
            }
            Act::Undrain => {
                self.draining = false;
                self.tell_all(&Input::Drain(Drain::End));
            }
            Act::Force => {
                for facts in &mut self.ledger.calls {
                    facts.disturbed = true;
                }
                self.tell_all(&Input::Drain(Drain::Force));
            }
            Act::Break(server) => self.break_server(*server),
            Act::Rubbish => self.rubbish(),
        }
    }

    fn behave(&mut self, server: usize, conduct: Conduct) {
        let was_gone = self.servers[server].conduct().is_gone();
        self.since[server] = self.now;
        self.servers[server].behave(conduct);
        self.drain_server(server);
        // A process that dies, and one that comes back, resets its connections; one that is cut off does nothing.
        if conduct == Conduct::Refusing || was_gone {
            self.break_links(|link| wire::server_at(link.peer) == Some(server));
        }
    }

    fn break_server(&mut self, server: usize) {
        self.since[server] = self.now;
        self.break_links(|link| wire::server_at(link.peer) == Some(server));
    }

    /// Something that is no SIP, or SIP for nobody.
    fn rubbish(&mut self) {
        let path = Path { transport: Transport::Udp, agent: wire::address(2, 5999), link: None };
        let texts: [&'static [u8]; 4] = [
            b"\r\n\r\n",
            b"INVITE",
            b"BYE sip:6000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
              To: <sip:c@d>;tag=um0-0123\r\nCall-ID: nobody\r\nCSeq: 9 BYE\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n",
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bKum0-0000000000000000\r\nFrom: <sip:a@b>;tag=um0-1\r\n\
              To: <sip:c@d>;tag=2\r\nCall-ID: nobody\r\nCSeq: 9 INVITE\r\nContact: <sip:a@127.0.0.9>\r\nContent-Length: 0\r\n\r\n",
        ];
        if self.scenario.calls.first().is_some_and(|call| call.transport == Transport::Udp) {
            let text = self.random.pick(&texts);
            self.send_to_worker(path, Bytes::from_static(text));
        }
    }
}
