//! `um-load`: measures signalling, media and control of the product on this machine.

use clap::{Parser, Subcommand};
use um_load::{control, hostile, kamailio, media, overload, signalling};

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
    /// Calls per second on one core, and what a call costs, over UDP and TCP; memory of held calls.
    Signalling,
    /// Twice the highest clean rate: what is completed, and how soon all is as before.
    Overload,
    /// Bad datagrams at full rate beside real calls.
    Hostile,
    /// The same calls through Kamailio, where it is installed.
    Kamailio,
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
            tokio::task::block_in_place(|| kamailio::measure(seconds, runs))?;
            overload::measure(seconds).await?;
            hostile::measure(seconds).await?;
            media::measure(seconds, runs).await?;
            control::measure(seconds, runs).await
        }
        What::Signalling => signalling::measure(seconds, runs).await,
        What::Overload => overload::measure(seconds).await,
        What::Hostile => hostile::measure(seconds).await,
        What::Kamailio => tokio::task::block_in_place(|| kamailio::measure(seconds, runs)),
        What::Media => media::measure(seconds, runs).await,
        What::Control => control::measure(seconds, runs).await,
    }
}
