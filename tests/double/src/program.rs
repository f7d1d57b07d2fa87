//! The agents as a program: sockets, clock, command line, control port.

mod call;
mod clock;
mod config;
mod control;
mod drawing;
mod network;
mod serve;
mod tell;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use self::config::{Arguments, Command};

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Server(arguments) => serve::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Call(arguments) => call::run(&arguments),
        Command::Tell(arguments) => tell::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("um-double: {error:#}");
        ExitCode::FAILURE
    })
}

/// Writes to the standard output; a reader that has gone away is no error.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
}

/// Returns a secret for tags, branches and session ids.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let halves = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()];
    for (byte, random) in seed.iter_mut().zip(halves.into_iter().flatten()) {
        *byte = random;
    }
    seed
}
