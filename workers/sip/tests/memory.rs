//! What a call that is held costs in the endpoint: both of its dialogs, and while they rest the transactions of its set-up.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use um_sip::{
    Endpoint, Flow, HostPort, LineIndex, Message, Method, NameAddr, Transport, Uri,
    endpoint::{Body, Config, Event, Inside, LineProfile, Output, Reply, Request},
    limits::Limits,
    transaction::Timing,
};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "the trait is unsafe; only sizes are added up beside the calls")]
// SAFETY: everything is handed on to the system's allocator; only the sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An endpoint with a caller on one side and a server on the other, both by hand.
struct Bench {
    endpoint: Endpoint,
    now: Instant,
}

impl Bench {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; only differences are looked at"
    )]
    fn new() -> Self {
        let mut endpoint = Endpoint::new(Config { seed: [3; 32], ..Config::default() });
        let sent_by = HostPort::parse(b"192.0.2.1:5060").expect("what the bench needs");
        endpoint.set_line(LineIndex(0), LineProfile { timing: Timing::STANDARD, sent_by });
        Self { endpoint, now: Instant::now() }
    }

    fn receive(&mut self, text: String) -> Vec<Event> {
        self.endpoint.handle_message(self.now, flow(), text.into());
        self.drain().1
    }

    fn drain(&mut self) -> (Vec<Message>, Vec<Event>) {
        let (mut sent, mut events) = (Vec::new(), Vec::new());
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { bytes, .. } => {
                    sent.push(Message::parse(bytes, &Limits::default()).expect("what the bench needs"))
                }
                Output::Event(event) => events.push(event),
            }
        }
        (sent, events)
    }

    /// Sets a whole call up: a caller's INVITE, one of ours for it, 180, 200 and ACK on both sides.
    fn call(&mut self, number: usize) {
        let events = self.receive(caller_says("INVITE", 1, number, ""));
        let Some(Event::Request { transaction, .. }) = events.into_iter().next() else {
            panic!("no request")
        };
        let request = self.invite();
        self.endpoint.request(self.now, flow(), &request).expect("what the bench needs");
        let (sent, _) = self.drain();
        let invite = sent.first().expect("what the bench needs");
        for status in ["100 Trying", "180 Ringing", "200 OK"] {
            let events = self.receive(server_answers(status, invite));
            if let Some(Event::Response { dialog: Some(dialog), .. }) = events.into_iter().next()
                && status == "200 OK"
            {
                self.endpoint.ack(dialog, flow(), &Inside::default()).expect("what the bench needs");
            }
        }
        let mut tag = String::new();
        for status in [um_sip::StatusCode::RINGING, um_sip::StatusCode::OK] {
            let reply = Reply { body: Some(sdp()), ..Reply::new(status) };
            self.endpoint.respond(self.now, transaction, &reply).expect("what the bench needs");
            tag = self
                .drain()
                .0
                .pop()
                .expect("what the bench needs")
                .to_tag()
                .expect("what the bench needs")
                .to_owned();
        }
        self.receive(caller_says("ACK", 1, number, &format!(";tag={tag}")));
    }

    fn invite(&mut self) -> Request {
        let uri = Uri::parse(b"sip:6000@192.0.2.11:5060").expect("what the bench needs");
        Request {
            method: Method::Invite,
            uri: uri.clone(),
            to: NameAddr::new(uri),
            from: NameAddr::parse(b"\"Dana Diaz\" <sip:5551234@pbx.example.com>")
                .expect("what the bench needs"),
            routes: Vec::new(),
            identity: self.endpoint.new_identity(),
            max_forwards: 69,
            contact_user: Some("6000".to_owned()),
            headers: Vec::new(),
            body: Some(sdp()),
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.endpoint.handle_timeout(at);
            self.drain();
        }
        self.now = until;
    }
}

fn flow() -> Flow {
    Flow {
        line: LineIndex(0),
        transport: Transport::Udp,
        local: SocketAddr::from(([192, 0, 2, 1], 5060)),
        remote: SocketAddr::from(([192, 0, 2, 9], 5070)),
        connection: None,
    }
}

fn sdp() -> Body {
    Body { content_type: "application/sdp".to_owned(), bytes: SDP.into() }
}

fn caller_says(method: &str, cseq: u32, number: usize, tag: &str) -> String {
    format!(
        "{method} sip:6000@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK{method}{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Dana Diaz\" <sip:5551234@pbx.example.com>;tag=caller{number}\r\n\
         To: <sip:6000@192.0.2.1>{tag}\r\nCall-ID: 843817637684230-{number}@998sdasdh09\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:5551234@192.0.2.9:5070>\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO\r\n\
         Supported: 100rel, timer, replaces\r\nUser-Agent: a telephone system of some length/1.0\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
}

fn server_answers(status: &str, invite: &Message) -> String {
    use um_sip::HeaderName as Name;
    let header = |name| invite.header_text(name).expect("what the bench needs");
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=um4711\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:um@192.0.2.11:5060>\r\nAllow: INVITE, ACK, CANCEL, BYE\r\nContent-Length: 0\r\n\r\n",
        header(Name::Via),
        header(Name::From),
        header(Name::To),
        header(Name::CallId),
        header(Name::CSeq),
    )
}

const SDP: &str = "v=0\r\no=pbx 2890844526 2890844526 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                   m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
                   a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

const CALLS: usize = 1_000;

/// The aim for a whole call is 10 kB of signalling state; the endpoint may have less than half of it.
#[test]
fn a_held_call_costs_the_endpoint_little() {
    let mut bench = Bench::new();
    let before = LIVE.load(Ordering::Relaxed);
    for number in 0..CALLS {
        bench.call(number);
    }
    let resting = (LIVE.load(Ordering::Relaxed) - before) / CALLS;
    assert_eq!((bench.endpoint.dialogs(), bench.endpoint.transactions()), (2 * CALLS, 2 * CALLS));
    bench.pass(Duration::from_secs(64));
    let held = (LIVE.load(Ordering::Relaxed) - before) / CALLS;
    assert_eq!((bench.endpoint.dialogs(), bench.endpoint.transactions()), (2 * CALLS, 0));
    println!("bytes per call: {held} held, {resting} while its transactions rest");
    assert!(held <= HELD_MAX, "{held} bytes per held call");
    assert!(resting <= RESTING_MAX, "{resting} bytes per call whose transactions rest");
}

const HELD_MAX: usize = 3_500;
const RESTING_MAX: usize = 6_500;
