//! Signalling under load: INVITE, 180, 200, ACK, BYE, 200 over UDP and TCP, at fixed rates and at the highest clean one.
//!
//! "Clean" means that every call was answered and ended, and neither side saw or sent anything twice.

mod caller;
mod messages;
mod server;
mod text;
mod wire;

use std::time::Duration;

use anyhow::{Context, Result};

pub use self::{
    caller::{Calls, Run, SLICE, Slice, call},
    server::Server,
    wire::Transport,
};
use crate::{
    clock,
    figures::Figures,
    process::{Process, leave_core},
    rig::{Rig, topology_over},
};

/// Rates at which the cost of a call is measured, calls/s.
const RATES: [u32; 3] = [500, 1000, 2500];
/// The search for the highest clean rate begins here and ends there, calls/s.
const SEARCH: (u32, u32) = (250, 16_000);
/// The search ends when its bounds are this close.
const RESOLUTION: f64 = 1.06;
/// Calls held at once when memory is measured, and the rate at which they are begun.
const HELD: [u32; 2] = [1_000, 10_000];
const HELD_RATE: u32 = 500;
/// Media ports for so many calls.
const PORTS: &str = "10000-59999";

/// Measures and prints.
///
/// # Errors
///
/// The product does not come up, or an address of the generators is taken.
pub async fn measure(seconds: u64, runs: u32) -> Result<()> {
    for transport in [Transport::Udp, Transport::Tcp] {
        let name = transport.name();
        say!("signalling: {name} to {name}, B2BUA with anchored media, um-worker on core 0");
        let rig = Rig::gateway(&[], &topology_over(transport, false)?).await?;
        let worker = rig.worker.as_ref().context("a gateway has a worker")?;
        tokio::task::block_in_place(|| {
            let server = Server::start(transport)?;
            costs(worker, &server, transport, seconds, runs)?;
            let highest = search(&server, transport, seconds)?;
            say!("  highest clean rate found: {highest} calls/s on one core");
            say!("  memory at the end: {:.1} MiB", mebibytes(worker.memory()?));
            anyhow::Ok(())
        })?;
    }
    held().await
}

/// Prints what a call costs at fixed rates, and at half and all of the highest clean one.
///
/// # Errors
///
/// An address of the generators is taken.
pub fn costs(
    gateway: &Process,
    server: &Server,
    transport: Transport,
    seconds: u64,
    runs: u32,
) -> Result<()> {
    for rate in RATES {
        let (mut cost, mut setup, mut failed, mut again) = (Figures::default(), Figures::default(), 0, 0);
        for _ in 0..runs {
            let before = gateway.cpu()?;
            let run = call(&Calls::at(transport, rate, Duration::from_secs(seconds)), || {})?;
            let used = gateway.cpu()?.saturating_sub(before);
            cost.add(used.as_secs_f64() * 1e6 / f64::from(run.calls.max(1)));
            setup.add(run.setup.quantile(0.5) * 1e3);
            failed += run.failed() + run.refused;
            again += run.repeated + run.sent_again + server.take_repeated();
            rest();
        }
        say!(
            "  {rate:>6} calls/s: {cost:.0} us CPU a call, set-up p50 {setup:.2} ms, failed {failed}, messages repeated {again}"
        );
    }
    Ok(())
}

/// Doubles until it is no longer clean, then halves the distance; a noisy neighbour may spoil one run, not two.
///
/// # Errors
///
/// An address of the generators is taken.
pub fn search(server: &Server, transport: Transport, seconds: u64) -> Result<u32> {
    let (mut clean, mut unclean) = SEARCH;
    let duration = Duration::from_secs(seconds.min(3));
    let is_clean = |rate: u32| -> Result<bool> {
        for _ in 0..2 {
            let run = call(&Calls::at(transport, rate, duration), || {})?;
            let repeated = server.take_repeated();
            rest();
            if run.is_clean() && repeated == 0 && run.kept_rate(rate) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    if !is_clean(clean)? {
        return Ok(0);
    }
    while clean * 2 < unclean {
        if is_clean(clean * 2)? { clean *= 2 } else { unclean = clean * 2 }
    }
    while f64::from(unclean) / f64::from(clean) > RESOLUTION {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two positive u32"
        )]
        let middle = (f64::from(clean) * f64::from(unclean)).sqrt() as u32;
        if is_clean(middle)? { clean = middle } else { unclean = middle }
    }
    Ok(clean)
}

/// Prints what a call needs in memory while it is held.
async fn held() -> Result<()> {
    say!("memory of held calls: UDP, anchored media, resident memory of um-worker");
    for count in HELD {
        let rig = Rig::gateway(&["--media-ports", PORTS], &topology_over(Transport::Udp, false)?).await?;
        let worker = rig.worker.as_ref().context("a gateway has a worker")?;
        let (before, after, run) = tokio::task::block_in_place(|| {
            let _server = Server::start(Transport::Udp)?;
            // What is made once is there before.
            call(&Calls::at(Transport::Udp, 50, Duration::from_secs(2)), || {})?;
            let before = worker.memory()?;
            let placing = Duration::from_secs(1) * count / HELD_RATE;
            let calls = Calls {
                transport: Transport::Udp,
                phases: vec![(HELD_RATE, placing)],
                hold: placing + Duration::from_secs(6),
            };
            let mut after = Ok(0);
            let run = call(&calls, || after = worker.memory())?;
            anyhow::Ok((before, after?, run))
        })?;
        let each = after.saturating_sub(before) / u64::from(count);
        let failed = run.failed() + run.refused;
        say!(
            "  {count:>6} calls: {each} octets a call ({:.1} MiB in all), failed {failed}",
            mebibytes(after)
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Lets what is left of a run drain, so that the next one begins with nothing in the way.
pub(crate) fn rest() {
    let until = clock::now() + Duration::from_millis(700);
    while clock::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    leave_core(0);
}
