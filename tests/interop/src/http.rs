//! One HTTP GET, enough for the worker's health and metrics endpoint.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// Longest time for one answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Returns the body of a 200.
///
/// # Errors
///
/// Nobody answers, or something else than 200.
pub fn get(server: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{} {body}", head.lines().next().unwrap_or_default());
    Ok(body.to_owned())
}
