//! The bounded queue into a signalling shard. Anything in the worker may post; only the shard's thread reads.
//!
//! A post wakes the thread at most once between two of its turns, so a burst costs one system call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mio::Waker;
use um_engine::Input;
use um_sip::{ConnectionId, Flow, LineIndex};

/// Commands that may wait in one shard. A message more is dropped and counted, as on a full socket buffer.
const CAPACITY: usize = 65_536;

/// One thing for a shard's thread to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Something happened that the engine should know.
    Input(Input),
    /// A message that came to another shard's socket.
    Message {
        /// When it came there.
        arrived: Instant,
        /// How it came.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// A message of another shard for a connection that this shard owns.
    Send {
        /// The connection, as its flow.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Another shard wants a connection of this shard closed.
    Close(ConnectionId),
    /// Serve this socket from now on.
    Listen {
        /// The number that its flows carry.
        line: LineIndex,
        /// The socket.
        socket: ListenSocket,
    },
    /// Stop serving the sockets of this line.
    Unlisten(LineIndex),
    /// End the thread.
    Stop,
}

/// A socket that a line listens on.
#[derive(Debug)]
pub(crate) enum ListenSocket {
    /// UDP.
    Udp(std::net::UdpSocket),
    /// TCP.
    Tcp(std::net::TcpListener),
}

/// The posting end.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: Sender<Command>,
    bell: Arc<Bell>,
}

/// The reading end.
#[derive(Debug)]
pub(super) struct Inbox {
    receiver: Receiver<Command>,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Bell {
    waker: Waker,
    rung: AtomicBool,
    dropped: AtomicU64,
}

/// Makes the two ends; `waker` belongs to the poll of the thread that reads.
pub(super) fn mailbox(waker: Waker) -> (Mailbox, Inbox) {
    let (sender, receiver) = bounded(CAPACITY);
    let bell = Arc::new(Bell { waker, rung: AtomicBool::new(false), dropped: AtomicU64::new(0) });
    (Mailbox { sender, bell: Arc::clone(&bell) }, Inbox { receiver, bell })
}

impl Mailbox {
    /// Posts without waiting, as shards do among themselves; a full queue drops the command and counts it.
    pub(crate) fn post(&self, command: Command) {
        match self.sender.try_send(command) {
            Ok(()) => self.ring(),
            Err(TrySendError::Full(_)) => {
                self.bell.dropped.fetch_add(1, Ordering::Relaxed);
                self.ring();
            }
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// Posts without waiting and without losing anything: a full queue gives the command back.
    #[expect(clippy::result_large_err, reason = "the command is the caller's own, given back")]
    pub(crate) fn offer(&self, command: Command) -> Result<(), Command> {
        let sent = self.sender.try_send(command);
        self.ring();
        match sent {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(command)) => Err(command),
        }
    }

    /// Posts what must not be lost, waiting for room. Never call it on a signalling or media thread.
    pub(crate) fn deliver(&self, command: Command) {
        if self.sender.send(command).is_ok() {
            self.ring();
        }
    }

    /// How many commands were dropped because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.bell.dropped.load(Ordering::Relaxed)
    }

    fn ring(&self) {
        // Sequentially consistent on both sides: a weaker store in `silence` could be seen after the reader found the
        // queue empty, and then neither would act.
        if !self.bell.rung.swap(true, Ordering::SeqCst) {
            // The only failure is a poll that is gone, and then nobody is left to wake.
            let _ = self.bell.waker.wake();
        }
    }
}

impl Inbox {
    /// Lets the next post ring again. To be called before the queue is read, or a post could be missed.
    pub(super) fn silence(&self) {
        self.bell.rung.store(false, Ordering::SeqCst);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Takes the next command, if there is one.
    pub(super) fn take(&self) -> Option<Command> {
        self.receiver.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn posts_between_two_turns_wake_the_reader_once_and_none_is_missed() {
        let mut poll = Poll::new().unwrap();
        let (post, inbox) = mailbox(Waker::new(poll.registry(), Token(0)).unwrap());
        let mut events = Events::with_capacity(4);
        for _ in 0..3 {
            post.post(Command::Stop);
            post.post(Command::Stop);
            poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
            assert_eq!(events.iter().count(), 1);
            inbox.silence();
            assert_eq!(std::iter::from_fn(|| inbox.take()).count(), 2);
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let poll = Poll::new().unwrap();
        let (post, inbox) = mailbox(Waker::new(poll.registry(), Token(0)).unwrap());
        for _ in 0..CAPACITY + 3 {
            post.post(Command::Stop);
        }
        assert_eq!(post.dropped(), 3);
        assert_eq!(std::iter::from_fn(|| inbox.take()).count(), CAPACITY);
    }
}
