//! The process `um-control`: flags in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use um_control::config::Config;

fn main() -> ExitCode {
    let config = Config::parse();
    let ran = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let ran = runtime.block_on(um_control::run(config));
        // A reader that never closes its stream must not hold up the end of the process.
        runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        ran
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("um-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}
