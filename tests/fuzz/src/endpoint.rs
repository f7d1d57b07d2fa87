//! The endpoint of a shard under arbitrary messages, timers and acts of its user. It never panics, stays within its bounds,
//! is on time, sends only what is well formed, and when everybody has fallen silent nothing is left.

use std::time::{Duration, Instant};

use um_sip::endpoint::{
    Body, ClientTransaction, Config, DialogId, Endpoint, Event, Inside, LineProfile, Output, Reply, Request,
    ServerTransaction,
};
use um_sip::transaction::Timing;
use um_sip::{Flow, HeaderName, HostPort, Limits, LineIndex, Method, NameAddr, StatusCode, Transport, Uri};

use crate::scene::{Place, Scene};
use crate::source::Source;

/// Runs the target.
pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let mut user = User::new(&mut source);
    for _ in 0..MOST_STEPS {
        if source.is_empty() {
            break;
        }
        user.step(&mut source);
    }
    user.leave();
}

/// The user of the endpoint: does what the input says with what the endpoint gave it.
struct User {
    endpoint: Endpoint,
    scene: Scene,
    now: Instant,
    servers: Vec<ServerTransaction>,
    clients: Vec<ClientTransaction>,
    dialogs: Vec<(DialogId, Flow)>,
}

impl User {
    fn new(source: &mut Source<'_>) -> Self {
        let transport = source.pick(&[Transport::Udp, Transport::Tcp]);
        let config = Config {
            seed: [7; 32],
            limits: Limits { datagram_bytes: 8_192, ..Limits::default() },
            max_transactions: MOST_TRANSACTIONS,
            max_dialogs: MOST_DIALOGS,
            max_forks: 4,
            ..Config::default()
        };
        let mut endpoint = Endpoint::new(config);
        let place = |index: u32, port: u16| Place {
            line: LineIndex(index),
            transport,
            local: ([127, 0, 0, 1], port).into(),
        };
        let (callers, servers) = (place(0, 5060), place(1, 5080));
        for place in [callers, servers] {
            let sent_by = HostPort::parse(place.local.to_string().as_bytes()).expect("an address");
            endpoint.set_line(place.line, LineProfile { timing: Timing::STANDARD, sent_by });
        }
        Self {
            endpoint,
            scene: Scene::new(callers, servers),
            now: start(),
            servers: Vec::new(),
            clients: Vec::new(),
            dialogs: Vec::new(),
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(12) {
            0..=4 => {
                let (flow, bytes) = self.scene.incoming(source);
                self.endpoint.handle_message(self.now, flow, bytes);
            }
            5 => self.time_out(),
            6 => {
                self.now += source.pick(PAUSES);
                self.endpoint.handle_timeout(self.now);
            }
            7 | 8 => self.respond(source),
            9 => self.request(source),
            10 => self.act_inside(source),
            _ => self.fail(source),
        }
        self.drain();
        let late = self.endpoint.poll_timeout().is_some_and(|due| due < self.now);
        assert!(!late, "a deadline in the past after a step");
    }

    fn respond(&mut self, source: &mut Source<'_>) {
        let Some(transaction) = last(&self.servers, source.byte()) else { return };
        let status = source.pick(&[100, 180, 183, 200, 200, 202, 302, 404, 487, 500, 603]);
        let mut reply = Reply::new(StatusCode::new(status).expect("a status")).contact_user("um");
        if source.byte() & 1 != 0 {
            reply = reply.body("application/sdp", "v=0\r\n");
        }
        if source.byte() & 1 != 0 {
            reply = reply.header(HeaderName::Subject, "a\r\nb: c").reason("d\r\ne");
        }
        if let Ok(Some(dialog)) = self.endpoint.respond(self.now, transaction, &reply) {
            let flow = self.dialogs.last().map(|(_, flow)| *flow);
            self.dialogs.push((dialog, flow.unwrap_or_else(far)));
        }
    }

    fn request(&mut self, source: &mut Source<'_>) {
        let address = |text: &str| NameAddr::parse(text.as_bytes()).expect("an address");
        let request = Request {
            method: Method::from_bytes(
                source.pick(&["INVITE", "INVITE", "OPTIONS", "SUBSCRIBE", "ACK"]).as_bytes(),
            )
            .expect("a method"),
            uri: Uri::parse(b"sip:6000@127.0.0.11").expect("a URI"),
            to: address("<sip:6000@127.0.0.11>"),
            from: address("\"x\" <sip:5550100@127.0.0.1>"),
            routes: Vec::new(),
            identity: self.endpoint.new_identity(),
            max_forwards: 70,
            contact_user: Some("um".to_owned()),
            headers: Vec::new(),
            body: Some(Body { content_type: "application/sdp".to_owned(), bytes: "v=0\r\n".into() }),
        };
        let flow = Flow { transport: source.pick(&[Transport::Udp, Transport::Tcp]), ..far() };
        if let Ok(transaction) = self.endpoint.request(self.now, flow, &request) {
            self.clients.push(transaction);
        }
    }

    fn act_inside(&mut self, source: &mut Source<'_>) {
        let act = source.below(8);
        if act < 2 {
            let Some(transaction) = last(&self.clients, source.byte()) else { return };
            if act == 0 {
                let _ = self.endpoint.cancel(self.now, transaction);
            } else {
                self.endpoint.abandon(self.now, transaction);
            }
            return;
        }
        let Some((dialog, flow)) = last(&self.dialogs, source.byte()) else { return };
        match act {
            2 | 3 => drop(self.endpoint.ack(dialog, flow, &Inside::default())),
            4 => drop(self.endpoint.bye(self.now, dialog, flow, Vec::new())),
            5 => self.endpoint.forget(dialog),
            _ => {
                let method =
                    source.pick(&["INVITE", "INFO", "UPDATE", "OPTIONS", "REFER", "NOTIFY", "BYE", "ACK"]);
                let method = Method::from_bytes(method.as_bytes()).expect("a method");
                let made = self.endpoint.request_inside(self.now, dialog, flow, &method, &Inside::default());
                self.clients.extend(made.ok());
            }
        }
    }

    fn fail(&mut self, source: &mut Source<'_>) {
        let Some((_, flow)) = last(&self.dialogs, source.byte()) else {
            return self.endpoint.handle_flow_failed(self.now, far());
        };
        match flow.connection {
            Some(connection) => self.endpoint.handle_connection_lost(self.now, connection),
            None => self.endpoint.handle_flow_failed(self.now, flow),
        }
    }

    fn time_out(&mut self) {
        let Some(due) = self.endpoint.poll_timeout() else { return };
        self.now = self.now.max(due);
        self.endpoint.handle_timeout(self.now);
        self.drain();
        let late = self.endpoint.poll_timeout().is_some_and(|due| due <= self.now);
        assert!(!late, "a deadline in the past after its turn");
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            let Some(output) = self.endpoint.poll_output() else {
                assert!(
                    self.endpoint.transactions() <= MOST_TRANSACTIONS + REFUSALS,
                    "too many transactions"
                );
                assert!(self.endpoint.dialogs() <= MOST_DIALOGS + MOST_FORKS, "too many dialogs");
                return;
            };
            match output {
                Output::Send { flow, bytes } => self.scene.on_sent(flow, &bytes),
                Output::Event(event) => self.on_event(event),
            }
        }
        panic!("no end of outputs");
    }

    fn on_event(&mut self, event: Event) {
        if let Event::Request { transaction, dialog, flow, .. } = &event {
            self.servers.push(*transaction);
            self.dialogs.extend(dialog.map(|dialog| (dialog, *flow)));
        }
        if let Event::Response { dialog: Some(dialog), flow, .. } = &event {
            self.dialogs.push((*dialog, *flow));
        }
        if let Event::StrayAnswer { flow, message } = &event
            && let Ok(dialog) = self.endpoint.adopt(flow.line, message)
        {
            self.dialogs.push((dialog, *flow));
        }
    }

    /// The user answers and ends everything, nobody says anything any more, and time passes.
    fn leave(&mut self) {
        for transaction in std::mem::take(&mut self.servers) {
            let _ =
                self.endpoint.respond(self.now, transaction, &Reply::new(StatusCode::SERVER_INTERNAL_ERROR));
        }
        for transaction in std::mem::take(&mut self.clients) {
            self.endpoint.abandon(self.now, transaction);
        }
        self.drain();
        let end = self.now + Duration::from_secs(600);
        while self.endpoint.poll_timeout().is_some_and(|due| due < end) {
            self.time_out();
            // What became late meanwhile ends too.
            for transaction in std::mem::take(&mut self.servers) {
                let reply = Reply::new(StatusCode::SERVER_INTERNAL_ERROR);
                let _ = self.endpoint.respond(self.now, transaction, &reply);
            }
            self.drain();
        }
        for (dialog, flow) in std::mem::take(&mut self.dialogs) {
            if self.endpoint.dialog(dialog).is_some()
                && self.endpoint.bye(self.now, dialog, flow, Vec::new()).is_err()
            {
                self.endpoint.forget(dialog);
            }
        }
        self.drain();
        let end = self.now + Duration::from_secs(600);
        while self.endpoint.poll_timeout().is_some_and(|due| due < end) {
            self.time_out();
        }
        for (dialog, _) in std::mem::take(&mut self.dialogs) {
            self.endpoint.forget(dialog);
        }
        assert_eq!(self.endpoint.transactions(), 0, "transactions are left");
        assert_eq!(self.endpoint.dialogs(), 0, "dialogs are left");
        assert_eq!(self.endpoint.poll_timeout(), None, "a timer without anything to wait for");
    }
}

fn last<T: Copy>(list: &[T], choice: u8) -> Option<T> {
    let back = usize::from(choice).checked_rem(list.len())?;
    list.get(list.len() - 1 - back).copied()
}

fn far() -> Flow {
    Flow {
        line: LineIndex(1),
        transport: Transport::Udp,
        local: ([127, 0, 0, 1], 5080).into(),
        remote: ([127, 0, 0, 11], 5060).into(),
        connection: None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a run needs some instant to begin with; only differences are looked at"
)]
fn start() -> Instant {
    Instant::now()
}

const MOST_STEPS: usize = 64;
const MOST_OUTPUTS: usize = 2_000;
const MOST_TRANSACTIONS: usize = 24;
/// An answer that is refused room still has its BYE and ACK.
const REFUSALS: usize = 24;
const MOST_DIALOGS: usize = 12;
const MOST_FORKS: usize = 8;
const PAUSES: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(4),
    Duration::from_secs(33),
    Duration::from_secs(181),
];
