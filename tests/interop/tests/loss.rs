//! The control plane dies, its store dies, both die, while SIPp calls at 20 calls a second; and a worker starts without them.

use std::time::Duration;

use anyhow::{Result, ensure};
use um_interop::process::in_place;
use um_interop::product::{Store, plan};
use um_interop::sipp::Load;
use um_interop::{Behaviour, Caller, Product, Server, Sipp, Transport, clock};

/// Calls at 20 a second, and in their middle something dies.
fn no_call_fails(die: impl FnOnce(&mut Product<'_>) -> Result<()>) -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let _first = Sipp::uas(place, "first", servers[0], Transport::Tcp, &[])?;
        let _second = Sipp::uas(place, "second", servers[1], Transport::Tcp, &[])?;
        let topology = plan(place, Transport::Udp, Transport::Tcp, &servers);
        let mut product = Product::start_with(place, &topology, Store::Etcd, 1)?;
        let load = Load { rate: 20, calls: 160, hold: Duration::from_millis(500) };
        let mut caller = Sipp::caller(place, "uac", place.host(10), product.callers(), Transport::Udp, load)?;
        clock::pass(Duration::from_secs(2));
        die(&mut product)?;
        let placed = caller.finish(Duration::from_secs(60))?;
        let complaints = caller.complaints();
        ensure!(placed.successful == 160 && placed.failed == 0, "{placed:?} {complaints}");
        ensure!(placed.retransmissions == 0, "{placed:?} {complaints}");
        product.settled(Duration::from_secs(5))
    })
}

fn crash(process: Option<um_interop::Process>) -> Result<()> {
    process.map_or(Ok(()), |mut process| process.crash())
}

#[test]
fn no_call_fails_when_control_is_killed() -> Result<()> {
    no_call_fails(|product| crash(product.control.take()))
}

#[test]
fn no_call_fails_when_etcd_is_killed() -> Result<()> {
    no_call_fails(|product| crash(product.etcd.take()))
}

#[test]
fn no_call_fails_when_control_and_etcd_are_killed_and_come_back() -> Result<()> {
    no_call_fails(|product| {
        crash(product.control.take())?;
        crash(product.etcd.take())?;
        clock::pass(Duration::from_secs(1));
        product.start_store()?;
        product.start_control()?;
        clock::until("the worker to be connected again", Duration::from_secs(20), || {
            ensure!(product.status()?["control_connected"] == true, "it is not");
            Ok(())
        })
    })
}

#[test]
fn a_worker_started_with_control_and_etcd_gone_serves_its_last_known_good() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let server = Server::start(servers[0], Transport::Tcp, Behaviour::Answer)?;
        let topology = plan(place, Transport::Udp, Transport::Tcp, &servers);
        let mut product = Product::start_with(place, &topology, Store::Etcd, 1)?;
        crash(product.control.take())?;
        crash(product.etcd.take())?;
        crash(product.worker.take())?;
        product.start_worker()?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("6000", "")?;
        ensure!(call.outcome(Duration::from_secs(5))?.status() == Some(200), "not answered");
        ensure!(server.seen("INVITE").len() == 1, "another server answered");
        call.hang_up()?;
        ensure!(product.status()?["control_connected"] == false, "control is gone");
        product.settled(Duration::from_secs(5))
    })
}
