//! The process `um-worker`: flags in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use um_worker::config::Config;

/// A message is made of many small pieces that several threads free; the system's allocator spends a sixth of a call on
/// them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = Config::parse();
    let ran = tokio::runtime::Builder::new_multi_thread()
        // One may be busy with a large topology or the disk while the other answers names and probes.
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let ran = runtime.block_on(um_worker::run(config));
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            ran
        });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("um-worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}
