//! A thousand calls of stock SIPp through the worker to two stock SIPp servers, over UDP and TCP, with one and two shards.

use std::time::Duration;

use anyhow::{Result, ensure};
use um_interop::process::in_place;
use um_interop::product::{Store, plan};
use um_interop::sipp::Load;
use um_interop::{Product, Sipp, Transport};

/// The load: 50 calls a second for 20 s.
const LOAD: Load = Load::short(50, 1000);

fn thousand_calls(transport: Transport, signalling_threads: u16) -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let mut first = Sipp::uas(place, "first", servers[0], transport, &[])?;
        let mut second = Sipp::uas(place, "second", servers[1], transport, &[])?;
        // Probes as often as a new list has them; a stock server leaves them unanswered and must stay UP by its calls.
        let mut topology = plan(place, transport, transport, &servers);
        topology.options_interval = "10s";
        let product = Product::start_with(place, &topology, Store::Embedded, signalling_threads)?;

        let mut caller = Sipp::caller(place, "uac", place.host(10), product.callers(), transport, LOAD)?;
        let placed = caller.finish(Duration::from_secs(90))?;

        let complaints = caller.complaints();
        ensure!(placed.successful == 1000 && placed.failed == 0, "{placed:?} {complaints}");
        ensure!(placed.retransmissions == 0, "the caller sent again: {placed:?} {complaints}");
        product.settled(Duration::from_secs(10))?;
        ensure!(product.target_state("um1")? == "UP", "the first server answered every call and is not UP");
        let (taken, spared) = (first.stop()?, second.stop()?);
        // A stock server counts a probe as a call that failed, so only its successes speak of calls.
        ensure!(taken.successful == 1000, "{taken:?} {}", first.complaints());
        ensure!(taken.retransmissions == 0, "the first server heard or said things again: {taken:?}");
        ensure!(spared.successful == 0, "the second server was called although the first was UP: {spared:?}");
        Ok(())
    })
}

#[test]
fn thousand_calls_over_udp_with_one_shard() -> Result<()> {
    thousand_calls(Transport::Udp, 1)
}

#[test]
fn thousand_calls_over_tcp_with_one_shard() -> Result<()> {
    thousand_calls(Transport::Tcp, 1)
}

#[test]
fn thousand_calls_over_udp_with_two_shards() -> Result<()> {
    thousand_calls(Transport::Udp, 2)
}

#[test]
fn thousand_calls_over_tcp_with_two_shards() -> Result<()> {
    thousand_calls(Transport::Tcp, 2)
}
