//! The way from signalling to the media threads: one bounded queue per thread, and a waker that rings once per batch.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mio::Waker;
use um_media::{RelayCommand, RelayId};

/// What a thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Something about a relay.
    Command(RelayCommand),
    /// Close everything and end.
    Stop,
}

/// Gives orders to the media threads; cheap to clone, one per signalling shard.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    posts: Vec<Post>,
}

/// The queue of the thread in charge is full; the command comes back.
#[derive(Debug)]
pub struct Full(pub RelayCommand);

impl Orders {
    /// Gives an order without waiting. Orders about one relay are carried out in the order in which they were given.
    ///
    /// # Errors
    /// [`Full`] with the command. An opening may then be given up; a closing must be given again later, or its ports stay bound.
    pub fn give(&self, command: RelayCommand) -> Result<(), Full> {
        match self.post(command.relay()) {
            Some(post) => post.give(command),
            None => Err(Full(command)),
        }
    }

    pub(super) fn add(&mut self, post: Post) {
        self.posts.push(post);
    }

    /// Ends the threads. Waits for room in their queues.
    pub(super) fn stop(&self) {
        for post in &self.posts {
            // A thread that is gone needs no word.
            if post.sender.send(Order::Stop).is_ok() {
                post.bell.ring();
            }
        }
    }

    /// Returns the queue of the thread in charge of a relay: always the same one.
    fn post(&self, relay: RelayId) -> Option<&Post> {
        let threads = u64::try_from(self.posts.len()).ok()?;
        let index = relay.serial.wrapping_add(u64::from(relay.shard)).checked_rem(threads)?;
        self.posts.get(usize::try_from(index).ok()?)
    }
}

/// The posting end of one thread's queue.
#[derive(Debug, Clone)]
pub(super) struct Post {
    sender: Sender<Order>,
    bell: Arc<Bell>,
}

/// The reading end of one thread's queue.
#[derive(Debug)]
pub(super) struct Inbox {
    receiver: Receiver<Order>,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Bell {
    waker: Waker,
    rung: AtomicBool,
}

/// Makes the two ends; `waker` belongs to the poll of the thread that reads.
pub(super) fn queue(waker: Waker) -> (Post, Inbox) {
    let (sender, receiver) = bounded(CAPACITY);
    let bell = Arc::new(Bell { waker, rung: AtomicBool::new(false) });
    (Post { sender, bell: Arc::clone(&bell) }, Inbox { receiver, bell })
}

impl Post {
    /// Wakes the thread only for an opening, whose call waits, and for a queue that grows: the other orders are read before the
    /// next packet of any relay is, or within milliseconds.
    fn give(&self, command: RelayCommand) -> Result<(), Full> {
        let urgent = matches!(command, RelayCommand::Open(_)) || self.sender.len() >= CROWD;
        let given = self.sender.try_send(Order::Command(command));
        if urgent {
            self.bell.ring();
        }
        match given {
            Ok(()) => Ok(()),
            Err(
                TrySendError::Full(Order::Command(command))
                | TrySendError::Disconnected(Order::Command(command)),
            ) => Err(Full(command)),
            Err(TrySendError::Full(Order::Stop) | TrySendError::Disconnected(Order::Stop)) => Ok(()),
        }
    }
}

impl Inbox {
    /// Lets the next order ring again. To be called before the queue is read, or an order could be missed.
    pub(super) fn silence(&self) {
        self.bell.rung.store(false, Ordering::SeqCst);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Takes the next order, if there is one.
    pub(super) fn take(&self) -> Option<Order> {
        self.receiver.try_recv().ok()
    }
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // The only failure is a poll that is gone, and then nobody is left to wake.
            let _ = self.waker.wake();
        }
    }
}

/// Orders that wait until one more wakes the thread.
const CROWD: usize = 256;

/// Orders that wait at most; a burst of call set-ups, three orders each.
const CAPACITY: usize = 4096;
