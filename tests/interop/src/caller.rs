//! A caller over UDP: one INVITE sent once, its responses with the time they came, ACK, BYE, CANCEL.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::clock;
use crate::message::{Message, description};

/// Calls placed in this process, for Call-IDs, tags and branches of their own.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// A telephone.
#[derive(Debug)]
pub struct Caller {
    socket: UdpSocket,
    local: SocketAddr,
    worker: SocketAddr,
}

/// A call that it placed.
#[derive(Debug)]
pub struct Call<'a> {
    caller: &'a Caller,
    number: u32,
    user: String,
    /// When the INVITE was sent.
    pub began: Instant,
    /// All responses, with the time they came.
    pub responses: Vec<(Instant, Message)>,
    to: String,
}

impl Caller {
    /// Opens its socket on a port of the system's choice; `worker` is the line it calls.
    ///
    /// # Errors
    ///
    /// The socket cannot be opened.
    pub fn new(host: IpAddr, worker: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind((host, 0)).context("a caller's socket")?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, worker })
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// The socket refuses.
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        self.socket.send_to(bytes, self.worker)?;
        Ok(())
    }

    /// Receives the next message within `limit`; nothing when none came.
    ///
    /// # Errors
    ///
    /// What came is not SIP.
    pub fn receive(&self, limit: Duration) -> Result<Option<Message>> {
        self.socket.set_read_timeout(Some(limit.max(Duration::from_millis(1))))?;
        let mut buffer = vec![0; 65_536];
        match self.socket.recv_from(&mut buffer) {
            Ok((length, _)) => {
                buffer.truncate(length);
                let message = Message::take(&mut buffer)?.context("a whole message in a datagram")?;
                Ok(Some(message))
            }
            Err(_) => Ok(None),
        }
    }

    /// Sends an OPTIONS and returns the status of its response.
    ///
    /// # Errors
    ///
    /// Nothing came in two seconds.
    pub fn options(&self) -> Result<u16> {
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        let (local, worker) = (self.local, self.worker);
        self.send(
            format!(
                "OPTIONS sip:{worker} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKopt{number};rport\r\n\
                 From: <sip:probe@{local}>;tag=o{number}\r\nTo: <sip:{worker}>\r\nCall-ID: options{number}@{local}\r\n\
                 CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        )?;
        let end = clock::now() + Duration::from_secs(2);
        while let Some(message) = self.receive(end.saturating_duration_since(clock::now()))? {
            if message.header("Call-ID").is_some_and(|id| id.starts_with(&format!("options{number}@"))) {
                return message.status().context("a response");
            }
        }
        bail!("OPTIONS was not answered")
    }

    /// Sends an INVITE for a user part, with `more` as further header lines.
    ///
    /// # Errors
    ///
    /// The socket refuses.
    pub fn call(&self, user: &str, more: &str) -> Result<Call<'_>> {
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        let body = description(self.local.ip(), 40_000);
        let to = format!("<sip:{user}@pbx.example.com>");
        let mut call = Call {
            caller: self,
            number,
            user: user.to_owned(),
            began: clock::now(),
            responses: Vec::new(),
            to,
        };
        let uri = format!("sip:{user}@{}", self.worker);
        let more = format!("{more}Content-Type: application/sdp\r\n");
        call.began = clock::now();
        self.send(call.request("INVITE", 1, &uri, "inv", &more, &body).as_bytes())?;
        Ok(call)
    }
}

impl Call<'_> {
    /// Receives until a response of at least `least` has come, and returns it; a final response gets its ACK.
    ///
    /// # Errors
    ///
    /// None came within `limit`.
    pub fn response(&mut self, least: u16, limit: Duration) -> Result<Message> {
        let end = clock::now() + limit;
        loop {
            let left = end.saturating_duration_since(clock::now());
            let Some(message) = self.caller.receive(left)? else {
                let seen: Vec<_> =
                    self.responses.iter().filter_map(|(_, message)| message.status()).collect();
                bail!("no response of {least} or more within {limit:?}; came: {seen:?}");
            };
            let ours = message.header("Call-ID").is_some_and(|id| id == self.id());
            let Some(status) = message.status().filter(|_| ours) else { continue };
            if message.header("CSeq").is_none_or(|cseq| !cseq.ends_with("INVITE")) {
                continue;
            }
            self.responses.push((clock::now(), message.clone()));
            if status >= 200 {
                self.acknowledge(&message)?;
            }
            if status >= least {
                return Ok(message);
            }
        }
    }

    /// Returns the final response.
    ///
    /// # Errors
    ///
    /// None came within `limit`.
    pub fn outcome(&mut self, limit: Duration) -> Result<Message> {
        self.response(200, limit)
    }

    /// Sends CANCEL.
    ///
    /// # Errors
    ///
    /// The socket refuses.
    pub fn cancel(&self) -> Result<()> {
        let uri = format!("sip:{}@{}", self.user, self.caller.worker);
        self.caller.send(self.request("CANCEL", 1, &uri, "inv", "", "").as_bytes())
    }

    /// Sends BYE within the dialog and waits for its 200.
    ///
    /// # Errors
    ///
    /// It was not answered with 200.
    pub fn hang_up(&mut self) -> Result<()> {
        let answer = self.responses.iter().rev().find(|(_, message)| message.status() == Some(200));
        let uri = answer.and_then(|(_, message)| message.uri_in("Contact")).context("a Contact")?.to_owned();
        self.caller.send(self.request("BYE", 2, &uri, "bye", "", "").as_bytes())?;
        let end = clock::now() + Duration::from_secs(2);
        while let Some(message) = self.caller.receive(end.saturating_duration_since(clock::now()))? {
            if message.header("CSeq").is_some_and(|cseq| cseq == "2 BYE") && message.status() == Some(200) {
                return Ok(());
            }
        }
        bail!("BYE was not answered")
    }

    fn acknowledge(&mut self, response: &Message) -> Result<()> {
        self.to = response.header("To").context("a To")?.to_owned();
        let answered = response.status() == Some(200);
        let uri = response
            .uri_in("Contact")
            .filter(|_| answered)
            .map_or_else(|| format!("sip:{}@{}", self.user, self.caller.worker), ToOwned::to_owned);
        let branch = if answered { "ack" } else { "inv" };
        self.caller.send(self.request("ACK", 1, &uri, branch, "", "").as_bytes())
    }

    fn id(&self) -> String {
        format!("call{}@{}", self.number, self.caller.local)
    }

    fn request(&self, method: &str, cseq: u32, uri: &str, branch: &str, more: &str, body: &str) -> String {
        let local = self.caller.local;
        let number = self.number;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch}{number}\r\n\
             From: \"Caller\" <sip:5551234@pbx.example.com>;tag=c{number}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:5551234@{local}>\r\nMax-Forwards: 70\r\n{more}Content-Length: {}\r\n\r\n{body}",
            self.to,
            self.id(),
            body.len()
        )
    }
}
