//! A name server of a test: a few records over UDP, changed while it runs, silent or failing when told so, and a count of
//! what it was asked.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// With what it knows, or NXDOMAIN.
    Answers,
    /// Not at all.
    Silent,
    /// With SERVFAIL.
    Fails,
}

/// The name server; it stops when it is dropped.
#[derive(Debug)]
pub struct NameServer {
    /// Where it listens.
    pub local: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    zone: Mutex<Zone>,
    stop: AtomicBool,
}

#[derive(Debug)]
struct Zone {
    records: BTreeMap<String, Vec<(u32, RData)>>,
    mood: Mood,
    asked: Vec<(String, RecordType)>,
}

/// Time between two looks at the wish to stop.
const GLANCE: Duration = Duration::from_millis(20);

impl NameServer {
    /// Listens; it knows nothing yet.
    ///
    /// # Errors
    ///
    /// The address is taken.
    pub fn start(local: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(local).with_context(|| format!("a name server on {local}"))?;
        socket.set_read_timeout(Some(GLANCE))?;
        let zone = Zone { records: BTreeMap::new(), mood: Mood::Answers, asked: Vec::new() };
        let shared = Arc::new(Shared { zone: Mutex::new(zone), stop: AtomicBool::new(false) });
        let mine = Arc::clone(&shared);
        let thread = std::thread::spawn(move || mine.serve(&socket));
        Ok(Self { local, shared, thread: Some(thread) })
    }

    /// Adds an address of a name.
    pub fn address(&self, name: &str, ttl: u32, ip: IpAddr) {
        let data = match ip {
            IpAddr::V4(v4) => RData::A(A(v4)),
            IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
        };
        self.add(name, ttl, data);
    }

    /// Adds a server of a service, such as `_sip._udp.example.com`.
    ///
    /// # Errors
    ///
    /// The target is no name.
    pub fn service(&self, name: &str, ttl: u32, of: (u16, u16, u16, &str)) -> Result<()> {
        let (priority, weight, port, target) = of;
        self.add(name, ttl, RData::SRV(SRV::new(priority, weight, port, Name::from_ascii(target)?)));
        Ok(())
    }

    /// Adds a NAPTR record that leads to a service.
    ///
    /// # Errors
    ///
    /// The replacement is no name.
    pub fn pointer(&self, name: &str, ttl: u32, of: (u16, u16, &str, &str)) -> Result<()> {
        let (order, preference, services, replacement) = of;
        let services = services.as_bytes().into();
        let replacement = Name::from_ascii(replacement)?;
        let data = NAPTR::new(order, preference, (*b"s").into(), services, Box::default(), replacement);
        self.add(name, ttl, RData::NAPTR(data));
        Ok(())
    }

    /// Forgets all records of a name.
    pub fn remove(&self, name: &str) {
        self.zone().records.remove(&key(name));
    }

    /// Changes how it answers.
    pub fn set(&self, mood: Mood) {
        self.zone().mood = mood;
    }

    /// Returns how often a name was asked for.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        self.zone().asked.iter().filter(|(asked, _)| *asked == key(name)).count()
    }

    fn add(&self, name: &str, ttl: u32, data: RData) {
        self.zone().records.entry(key(name)).or_default().push((ttl, data));
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.shared.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, socket: &UdpSocket) {
        let mut buffer = vec![0; 4_096];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(answer) = self.answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    }

    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first()?.clone();
        let name = key(&query.name().to_ascii());
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        zone.asked.push((name.clone(), query.query_type()));
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.add_query(query.clone());
        answer.metadata.recursion_available = true;
        match zone.mood {
            Mood::Silent => return None,
            Mood::Fails => answer.metadata.response_code = ResponseCode::ServFail,
            Mood::Answers => match zone.records.get(&name) {
                None => answer.metadata.response_code = ResponseCode::NXDomain,
                Some(records) => {
                    let fitting = records.iter().filter(|(_, data)| data.record_type() == query.query_type());
                    for (ttl, data) in fitting {
                        answer.add_answer(Record::from_rdata(query.name().clone(), *ttl, data.clone()));
                    }
                }
            },
        }
        answer.to_vec().ok()
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
