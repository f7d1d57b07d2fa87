//! Transfers with SIPp on both sides: a UM server that refers, a PBX whose INVITE takes the place of its first call.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use um_interop::process::in_place;
use um_interop::product::{Store, plan};
use um_interop::sipp::Load;
use um_interop::{Product, Sipp, Transport};

/// Calls of each test.
const CALLS: u64 = 10;

fn load(hold: Duration) -> Load {
    Load { rate: 5, calls: 10, hold }
}

/// Callers of a UM server that refers each of them to a mailbox, and stays until it is hung up.
fn refers(transport: Transport, signalling_threads: u16) -> Result<()> {
    in_place(|place| {
        let servers: [SocketAddr; 1] = [place.at(11, 5060)];
        let scenario = include_str!("../scenarios/um-refers.xml");
        let mut um = Sipp::server(place, "um", scenario, servers[0], transport)?;
        let topology = plan(place, transport, transport, &servers);
        let product = Product::start_with(place, &topology, Store::Embedded, signalling_threads)?;
        let hold = load(Duration::from_secs(8));
        let mut caller = Sipp::caller(place, "uac", place.host(10), product.callers(), transport, hold)?;
        let placed = caller.finish(Duration::from_secs(60))?;
        ensure!(placed.successful == CALLS && placed.failed == 0, "{placed:?} {}", caller.complaints());
        product.settled(Duration::from_secs(10))?;
        let taken = um.stop()?;
        ensure!(taken.successful == 2 * CALLS, "{taken:?} {}", um.complaints());
        Ok(())
    })
}

#[test]
fn a_um_server_refers_callers_to_a_mailbox_over_udp() -> Result<()> {
    refers(Transport::Udp, 1)
}

#[test]
fn a_um_server_refers_callers_to_a_mailbox_over_tcp() -> Result<()> {
    refers(Transport::Tcp, 1)
}

/// With two shards the second INVITE has to find the dialog of the first.
#[test]
fn an_invite_takes_the_place_of_the_callers_first_call() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let mut um = Sipp::uas(place, "um", servers[0], Transport::Udp, &[])?;
        let topology = plan(place, Transport::Udp, Transport::Udp, &servers);
        let product = Product::start_with(place, &topology, Store::Embedded, 2)?;
        let scenario = include_str!("../scenarios/pbx-replaces.xml");
        let (local, load) = (place.host(10), load(Duration::ZERO));
        let mut pbx = Sipp::caller_of(place, scenario, local, product.callers(), Transport::Udp, load)?;
        let placed = pbx.finish(Duration::from_secs(60))?;
        ensure!(placed.successful == CALLS && placed.failed == 0, "{placed:?} {}", pbx.complaints());
        product.settled(Duration::from_secs(10))?;
        let taken = um.stop()?;
        ensure!(taken.successful == CALLS, "{taken:?} {}", um.complaints());
        Ok(())
    })
}
