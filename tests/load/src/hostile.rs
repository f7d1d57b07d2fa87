//! A hostile crowd beside real calls: bad datagrams at full rate and connections that bring nothing.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::{Context, Result};
use um_interop::{Flood, Mix};

use crate::{
    rig::{GATEWAY, Rig, topology_over},
    signalling::{Calls, Server, Transport, call},
};

/// Bad datagrams a second.
const RATE: u32 = 20_000;
/// Real calls a second.
const CALLS: u32 = 50;
/// Where the bad ones come from.
const CROWD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 77, 66));

/// Measures and prints.
///
/// # Errors
///
/// The product does not come up, or an address of the generators is taken.
pub async fn measure(seconds: u64) -> Result<()> {
    let seconds = seconds.max(30);
    say!("hostile: {RATE} bad datagrams/s beside {CALLS} calls/s for {seconds} s, um-worker on core 0");
    let rig = Rig::gateway(&[], &topology_over(Transport::Udp, false)?).await?;
    let worker = rig.worker.as_ref().context("a gateway has a worker")?;
    tokio::task::block_in_place(|| {
        let _server = Server::start(Transport::Udp)?;
        call(&Calls::at(Transport::Udp, CALLS, Duration::from_secs(2)), || {})?;
        let (memory, cpu) = (worker.memory()?, worker.cpu()?);
        let flood = Flood::start(CROWD, GATEWAY, Some(RATE), Mix::Anything)?;
        let run = call(&Calls::at(Transport::Udp, CALLS, Duration::from_secs(seconds)), || {})?;
        let sent = flood.stop()?;
        let used = worker.cpu()?.saturating_sub(cpu);
        let grown = worker.memory()?.saturating_sub(memory) >> 20;
        say!("  {sent} bad datagrams, {:.2} us CPU each", used.as_secs_f64() * 1e6 / sent.max(1) as f64);
        say!(
            "  calls: {} of {} ended, {} refused, set-up p99 {:.2} ms",
            run.ended,
            run.calls,
            run.refused,
            run.setup.quantile(0.99) * 1e3
        );
        say!("  memory grew by {grown} MiB");
        anyhow::Ok(())
    })
}
