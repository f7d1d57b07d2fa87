//! `um-load`: measures signalling, media and control of the product on this machine.

use clap::{Parser, Subcommand};
use um_load::{control, media, signalling};

/// Measures what the product costs on this machine; `make bench` builds everything and runs `um-load all`.
#[derive(Debug, Parser)]
#[command(name = "um-load", version, max_term_width = 110)]
struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    what: What,
    /// Seconds of each run.
    #[arg(long, global = true, default_value_t = 5)]
    seconds: u64,
    /// Runs of each kind; figures are given as median (least to most).
    #[arg(long, global = true, default_value_t = 3)]
    runs: u32,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Everything below.
    All,
    /// Calls per second on one core, and what a call costs.
    Signalling,
    /// Packets per second on one core, and what a packet costs.
    Media,
    /// Writes per second, and the time from a commit to the last worker's acknowledgement.
    Control,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (seconds, runs) = (arguments.seconds, arguments.runs);
    match arguments.what {
        What::All => {
            signalling::measure(seconds, runs).await?;
            media::measure(seconds, runs).await?;
            control::measure(seconds, runs).await
        }
        What::Signalling => signalling::measure(seconds, runs).await,
        What::Media => media::measure(seconds, runs).await,
        What::Control => control::measure(seconds, runs).await,
    }
}
