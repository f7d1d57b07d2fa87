//! Flags and `UM_…` environment variables of `um-control`, turned into addresses and a store.
//!
//! The only file of the control plane that sees strings from outside its sockets.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;
use um_store::Spec;

use crate::vault::{KeyFileError, Vault};

/// Unified Messaging gateway: control plane.
///
/// Keeps the topology (lines, proxy lists, credentials, stations, users, routes, settings) in a store, serves the gRPC API that umctl and
/// programs use, and hands the topology to the workers.
#[derive(Debug, Clone, Parser)]
#[command(name = "um-control", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Config {
    /// Address of the gRPC API. Loopback unless --insecure.
    #[arg(long, env = "UM_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:7400")]
    pub listen: SocketAddr,

    /// Where the topology is kept: `embedded:PATH` (one file on this machine) or `etcd:http://HOST:PORT[,…]`.
    #[arg(long, env = "UM_STORE", value_name = "STORE", default_value = "embedded:var/control.redb")]
    pub store: Spec,

    /// Which realm of the store this control plane serves; realms do not see each other.
    #[arg(long, env = "UM_REALM", value_name = "NAME", default_value = "default", value_parser = parse_realm)]
    pub realm: String,

    /// File with the key that seals passwords in the store: 64 hexadecimal digits (`openssl rand -hex 32`). Of several
    /// lines the first seals, all open. Default with an embedded store: PATH with the ending `.key`, made with a new key
    /// at the first start and readable by its owner only. Replicas on etcd need the same file; without one they take no
    /// passwords.
    #[arg(long, env = "UM_SECRET_KEY", value_name = "FILE")]
    pub secret_key: Option<PathBuf>,

    /// Name of this replica in logs and metrics.
    #[arg(long, env = "UM_ID", value_name = "ID", default_value = "control")]
    pub id: String,

    /// Lets --listen be other than loopback, without TLS.
    #[arg(long, env = "UM_INSECURE")]
    pub insecure: bool,

    /// What is logged: a level or a filter such as `info,um_store=debug`.
    #[arg(long, env = "UM_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How it is logged.
    #[arg(long, env = "UM_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// OTLP (gRPC) endpoint for traces and metrics; none: nothing is pushed.
    #[arg(long, env = "UM_OTLP", value_name = "URL")]
    pub otlp: Option<String>,
}

const EXAMPLES: &str = "Examples:
  um-control
  um-control --store embedded:/var/lib/um/control.redb
  um-control --store etcd:http://127.0.0.1:2379,http://127.0.0.1:22379 --id control-a

Exit codes: 0 ended by a signal, 1 failed (the message says what to do), 2 wrong flags.";

/// Log line form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Checks what one flag alone cannot know.
    ///
    /// # Errors
    ///
    /// A sentence that names the flag and what would be right.
    pub fn validate(&self) -> Result<(), String> {
        if self.insecure || self.listen.ip().is_loopback() {
            return Ok(());
        }
        Err(format!("--listen {} is not a loopback address; without TLS that needs --insecure", self.listen))
    }
}

impl Config {
    /// Takes the key file that stands beside an embedded store where none is named, and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub fn with_secret_key(mut self) -> Result<Self, KeyFileError> {
        if let (None, Spec::Embedded(path)) = (&self.secret_key, &self.store) {
            let beside = path.with_extension("key");
            Vault::ensure(&beside)?;
            self.secret_key = Some(beside);
        }
        Ok(self)
    }
}

fn parse_realm(text: &str) -> Result<String, String> {
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits { Ok(text.to_owned()) } else { Err("1 to 63 of a-z, 0-9 and `-`".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from(["um-control"].iter().chain(args))
    }

    #[test]
    fn defaults_run_on_one_machine() {
        let config = config(&[]).unwrap();
        assert_eq!(config.store.to_string(), "embedded:var/control.redb");
        assert!(config.validate().is_ok());
    }

    #[test]
    fn a_wildcard_listener_needs_insecure() {
        assert!(
            config(&["--listen", "0.0.0.0:7400"]).unwrap().validate().unwrap_err().contains("--insecure")
        );
    }

    #[test]
    fn bad_values_are_refused() {
        for args in
            [["--store", "sqlite:x"], ["--store", "embedded:"], ["--realm", "A/b"], ["--listen", "7400"]]
        {
            assert!(config(&args).is_err(), "{args:?}");
        }
    }
}
