//! `um-double tell`: one command to the control port of a server.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;

use super::{config::Tell, print};

/// Sends a command and prints the reply; code 1 if it is an error.
pub(super) fn run(arguments: &Tell) -> anyhow::Result<ExitCode> {
    let reply = ask(arguments.control, &arguments.words.join(" "))?;
    print(&reply.to_string());
    Ok(if reply.get("error").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Sends a command and returns the reply.
pub(super) fn ask(control: SocketAddr, command: &str) -> anyhow::Result<Value> {
    let asked = || -> anyhow::Result<Value> {
        let mut stream = TcpStream::connect_timeout(&control, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply)?;
        Ok(serde_json::from_str(&reply)?)
    };
    asked().with_context(|| format!("control port {control} does not answer"))
}

const PATIENCE: Duration = Duration::from_secs(2);
