//! Signalling under load: INVITE, 180, 200, ACK, BYE, 200 over UDP, at fixed rates and at the highest clean one.
//!
//! "Clean" means that every call was answered and ended, and neither side saw anything twice.

mod caller;
mod server;

use std::time::Duration;

use anyhow::{Context, Result};

pub use self::{
    caller::{Calls, Run, call},
    server::Server,
};
use crate::{
    clock,
    figures::Figures,
    process::leave_core,
    rig::{Rig, topology},
};

/// Rates at which the cost of a call is measured, calls/s.
const RATES: [u32; 3] = [200, 500, 1000];
/// The search for the highest clean rate begins here and ends there, calls/s.
const SEARCH: (u32, u32) = (1000, 16_000);
/// The search ends when its bounds are this close.
const RESOLUTION: f64 = 1.06;

/// Measures and prints.
///
/// # Errors
///
/// The product does not come up, or an address of the generators is taken.
pub async fn measure(seconds: u64, runs: u32) -> Result<()> {
    say!("signalling: UDP to UDP, B2BUA with anchored media, um-worker on core 0");
    let rig = Rig::gateway(&[], &topology(false)?).await?;
    let worker = rig.worker.as_ref().context("a gateway has a worker")?;
    tokio::task::block_in_place(|| {
        leave_core(0);
        let server = Server::start()?;
        for rate in RATES {
            let (mut cost, mut setup, mut failed) = (Figures::default(), Figures::default(), 0);
            for _ in 0..runs {
                let before = worker.cpu()?;
                let run = call(&Calls { rate, duration: Duration::from_secs(seconds) })?;
                let used = worker.cpu()?.saturating_sub(before);
                cost.add(used.as_secs_f64() * 1e6 / f64::from(run.calls.max(1)));
                setup.add(run.setup.quantile(0.5) * 1e3);
                failed += run.failed() + run.repeated + server.take_repeated();
                rest();
            }
            say!(
                "  {rate:>6} calls/s: {cost:.0} us CPU a call, set-up p50 {setup:.2} ms, failed or repeated {failed}"
            );
        }
        let highest = search(&server, seconds)?;
        say!("  highest clean rate found: {highest} calls/s on one core");
        say!("  memory at the end: {:.1} MiB", worker_memory(worker.memory()?));
        Ok(())
    })
}

/// Doubles until it is no longer clean, then halves the distance; a noisy neighbour may spoil one run, not two.
fn search(server: &Server, seconds: u64) -> Result<u32> {
    let (mut clean, mut unclean) = SEARCH;
    let duration = Duration::from_secs(seconds.min(3));
    let try_rate = |rate: u32| -> Result<bool> {
        for _ in 0..2 {
            let run = call(&Calls { rate, duration })?;
            let repeated = run.repeated + server.take_repeated();
            rest();
            if run.failed() + repeated == 0 && run.kept_rate(rate) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    if !try_rate(clean)? {
        return Ok(0);
    }
    while f64::from(unclean) / f64::from(clean) > RESOLUTION {
        let middle = f64::from(clean) * (f64::from(unclean) / f64::from(clean)).sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two positive u32"
        )]
        let middle = middle as u32;
        if try_rate(middle)? { clean = middle } else { unclean = middle }
    }
    Ok(clean)
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn worker_memory(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Lets what is left of a run drain, so that the next one begins with nothing in the way.
fn rest() {
    let until = clock::now() + Duration::from_millis(700);
    while clock::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
}
