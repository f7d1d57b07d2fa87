//! `umctl`, the command line client of the control plane: manifests in, tables and explanations out.
//!
//! Everything it does goes through the gRPC API; it holds no state of its own.

mod clock;
mod command;
mod config;
mod connection;
mod duration;
mod failure;
mod json;
mod kind;
mod manifest;
mod output;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::config::Arguments;
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(command::run(arguments)),
        Err(error) => Err(Failure::from(error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
