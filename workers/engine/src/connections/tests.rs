//! Reuse, waiting users, idle close and bounds of the connection pool.

use super::*;

const LINE: LineIndex = LineIndex(0);

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

fn remote(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 5060))
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 40_000))
}

fn pool() -> Connections<u8> {
    Connections::new(3, 2, Duration::from_secs(60))
}

fn ready(user: u8, link: Link) -> Option<PoolOutput<u8>> {
    Some(PoolOutput::Ready { user, line: LINE, remote: remote(2), link })
}

fn opening(pool: &mut Connections<u8>) -> ConnectionId {
    match pool.poll_output() {
        Some(PoolOutput::Open { connection, .. }) => connection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn users_of_one_remote_share_a_connection() {
    let (mut pool, now) = (pool(), start());
    let by = now + Duration::from_secs(2);
    pool.acquire(LINE, remote(2), by, 1);
    pool.acquire(LINE, remote(2), by, 2);
    let connection = opening(&mut pool);
    assert_eq!((connection.shard, connection.serial >> 63), (3, 1));
    assert_eq!(pool.poll_output(), None);
    pool.opened(now, connection, local());
    let link = |reused| Link { connection, local: local(), reused };
    assert_eq!(pool.poll_output(), ready(1, link(false)));
    assert_eq!(pool.poll_output(), ready(2, link(true)));
    pool.acquire(LINE, remote(2), by, 3);
    assert_eq!(pool.poll_output(), ready(3, link(true)));
}

#[test]
fn a_connection_that_does_not_open_fails_all_who_wait() {
    let (mut pool, now) = (pool(), start());
    pool.acquire(LINE, remote(2), now, 1);
    let connection = opening(&mut pool);
    pool.failed(connection, ConnectError::Refused);
    assert_eq!(pool.poll_output(), Some(PoolOutput::Failed(1, ConnectError::Refused)));
    assert_eq!(pool.len(), 0);
}

#[test]
fn an_unused_connection_is_closed_after_its_idle_time() {
    let (mut pool, now) = (pool(), start());
    pool.acquire(LINE, remote(2), now + Duration::from_secs(2), 1);
    let connection = opening(&mut pool);
    pool.opened(now, connection, local());
    pool.poll_output();
    assert_eq!(pool.poll_timeout(), None, "in use");
    pool.release(now, LINE, remote(2), &1);
    let at = pool.poll_timeout().unwrap();
    assert_eq!(at - now, Duration::from_secs(60));
    pool.handle_timeout(at);
    assert_eq!(pool.poll_output(), Some(PoolOutput::Close(connection)));
    assert_eq!((pool.len(), pool.poll_timeout()), (0, None));
}

#[test]
fn a_closed_connection_is_lost_to_its_users_and_the_next_one_is_fresh() {
    let (mut pool, now) = (pool(), start());
    let by = now + Duration::from_secs(2);
    pool.acquire(LINE, remote(2), by, 1);
    let connection = opening(&mut pool);
    pool.opened(now, connection, local());
    pool.poll_output();
    pool.closed(connection);
    assert_eq!(pool.poll_output(), Some(PoolOutput::Lost(1, connection)));
    pool.acquire(LINE, remote(2), by, 2);
    assert_ne!(opening(&mut pool), connection);
}

#[test]
fn at_the_limit_an_unused_connection_makes_room() {
    let (mut pool, now) = (pool(), start());
    let by = now + Duration::from_secs(2);
    let open = |pool: &mut Connections<u8>, last| {
        pool.acquire(LINE, remote(last), by, last);
        let connection = opening(pool);
        pool.opened(now, connection, local());
        pool.poll_output();
        connection
    };
    let first = open(&mut pool, 2);
    open(&mut pool, 3);
    pool.acquire(LINE, remote(4), by, 4);
    assert_eq!(pool.poll_output(), Some(PoolOutput::Failed(4, ConnectError::Local)));
    pool.release(now, LINE, remote(2), &2);
    pool.acquire(LINE, remote(4), by, 4);
    assert_eq!(pool.poll_output(), Some(PoolOutput::Close(first)));
    opening(&mut pool);
}

#[test]
fn a_driver_that_says_nothing_does_not_keep_users_waiting() {
    let (mut pool, now) = (pool(), start());
    pool.acquire(LINE, remote(2), now + Duration::from_secs(2), 1);
    let connection = opening(&mut pool);
    let at = pool.poll_timeout().unwrap();
    pool.handle_timeout(at);
    assert_eq!(pool.poll_output(), Some(PoolOutput::Close(connection)));
    assert_eq!(pool.poll_output(), Some(PoolOutput::Failed(1, ConnectError::TimedOut)));
}

#[test]
fn what_another_shard_opened_is_left_alone() {
    let (mut pool, now) = (pool(), start());
    pool.opened(now, ConnectionId { shard: 0, serial: 1 << 63 }, local());
    assert_eq!(pool.poll_output(), None);
    pool.opened(now, ConnectionId { shard: 3, serial: 1 << 63 }, local());
    assert!(matches!(pool.poll_output(), Some(PoolOutput::Close(_))));
}
