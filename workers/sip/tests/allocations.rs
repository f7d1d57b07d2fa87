//! What reading a message costs in memory: at most four allocations for a typical INVITE.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use bytes::Bytes;
use um_sip::{HeaderName, Limits, Message, shard};

/// Counts the allocations of the thread that asks.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; every call is passed to the system's allocator as it came"
)]
// SAFETY: all methods forward their arguments unchanged to `System`, which keeps the trait's contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System.alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.with(Cell::get);
    let result = act();
    (COUNT.with(Cell::get) - before, result)
}

/// An INVITE of 1.2 kB as a PBX sends it: 17 headers and a session description.
const INVITE: &str = include_str!("samples/invite.sip");

fn invite() -> Bytes {
    Bytes::from(INVITE.replace('\n', "\r\n"))
}

#[test]
fn reading_an_invite_takes_at_most_four_allocations() {
    let bytes = invite();
    assert!((1150..1300).contains(&bytes.len()), "{}", bytes.len());
    let (allocations, message) = count(|| Message::parse(bytes.clone(), &Limits::default()));
    let message = message.expect("valid");
    assert!(allocations <= 4, "{allocations}");
    assert_eq!(message.lines().count(), 17);
    let (allocations, found) = count(|| {
        message.branch().is_some()
            && message.from_tag().is_some()
            && message.header(HeaderName::Contact).is_some()
            && message.body().len() > 100
    });
    assert_eq!((allocations, found), (0, true));
}

#[test]
fn finding_the_owner_takes_none() {
    let bytes = invite();
    let (allocations, _) = count(|| shard::owner(&bytes, 4));
    assert_eq!(allocations, 0);
}

#[test]
fn the_count_counts() {
    let (allocations, _) = count(|| vec![1u8; 64]);
    assert_eq!(allocations, 1);
}
