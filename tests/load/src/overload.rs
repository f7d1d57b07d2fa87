//! More calls than the product can carry: how many it completes, whether those that it admits complete, and how soon all
//! is as before. The callers behave as RFC 3261 wants it and send again what is not answered.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    rig::{Rig, topology_over},
    signalling::{Calls, Run, SLICE, Server, Transport, call, search},
};

/// How long twice the highest clean rate is offered.
const BURST: Duration = Duration::from_secs(30);
/// How long half of it is offered afterwards.
const AFTER: Duration = Duration::from_secs(6);

/// Measures and prints.
///
/// # Errors
///
/// The product does not come up, or an address of the generators is taken.
pub async fn measure(seconds: u64) -> Result<()> {
    for transport in [Transport::Udp, Transport::Tcp] {
        say!("overload: {}, twice the highest clean rate for {BURST:?}, then half of it", transport.name());
        let rig = Rig::gateway(&[], &topology_over(transport, false)?).await?;
        let worker = rig.worker.as_ref().context("a gateway has a worker")?;
        tokio::task::block_in_place(|| {
            let server = Server::start(transport)?;
            let highest = search(&server, transport, seconds)?;
            let before = worker.cpu()?;
            let phases = vec![(2 * highest, BURST), (highest / 2, AFTER)];
            let run = call(&Calls { transport, phases, hold: Duration::ZERO }, || {})?;
            let used = worker.cpu()?.saturating_sub(before);
            report(highest, &run);
            say!(
                "  core 0 was used {:.0} % of the time",
                100.0 * used.as_secs_f64() / run.took.as_secs_f64()
            );
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

fn report(highest: u32, run: &Run) {
    // The first seconds show how it finds its level; they count too.
    let burst = run.between(Duration::ZERO, BURST);
    let completed = f64::from(burst.ended) / BURST.as_secs_f64();
    let ratio = completed / f64::from(highest.max(1));
    say!("  highest clean rate {highest} calls/s; offered {} calls/s", burst.begun / BURST.as_secs() as u32);
    say!("  completed {completed:.0} calls/s = {:.1} % of the highest clean rate", ratio * 100.0);
    say!(
        "  refused {} of {} ({} messages sent again by callers)",
        burst.refused,
        burst.begun,
        run.sent_again
    );
    say!("  answered and not ended as they should: {}; without any end: {}", run.broken(), run.failed());
    match back_to_normal(run) {
        Some(after) => say!("  nobody was refused from {:.1} s after the burst on", after.as_secs_f64()),
        None => say!("  not back to normal {AFTER:?} after the burst"),
    }
}

/// When the last call was refused, after the burst.
fn back_to_normal(run: &Run) -> Option<Duration> {
    let all = BURST + AFTER;
    let first = (BURST.as_millis() / SLICE.as_millis()) as usize;
    let last = run.slices.iter().rposition(|slice| slice.refused > 0).unwrap_or(0) + 1;
    let after = SLICE * u32::try_from(last.saturating_sub(first)).unwrap_or(u32::MAX);
    (BURST + after < all).then_some(after)
}
