//! Flags and `UM_…` environment variables of `um-worker`, turned into addresses, ranges and durations.
//!
//! The only file of the worker that sees strings from outside its sockets.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
};

use clap::Parser;

/// Unified Messaging gateway: data plane.
///
/// Carries calls between telephones and Unified Messaging servers. It takes its topology from um-control, keeps the
/// last one on disk and goes on (and starts) without um-control.
#[derive(Debug, Clone, Parser)]
#[command(name = "um-worker", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Config {
    /// Name of this worker, unique among the workers of one um-control: letters, digits, `.`, `_`, `-`.
    #[arg(long, env = "UM_ID", value_name = "ID", value_parser = parse_id)]
    pub id: String,

    /// Where um-control answers.
    #[arg(long, env = "UM_CONTROL", value_name = "URL", default_value = "http://127.0.0.1:7400")]
    pub control: tonic::transport::Uri,

    /// Address of the health and metrics endpoint (/live, /ready, /status, /metrics). Loopback unless --insecure.
    #[arg(long, env = "UM_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:7410")]
    pub listen: SocketAddr,

    /// Directory for the last known good topology; created when missing.
    #[arg(long, env = "UM_STATE_DIR", value_name = "DIR", default_value = "var/worker")]
    pub state_dir: PathBuf,

    /// UDP ports for media, FIRST-LAST; a call takes two pairs (RTP even, RTCP odd).
    #[arg(long, env = "UM_MEDIA_PORTS", value_name = "FIRST-LAST", default_value = "20000-29999")]
    pub media_ports: PortRange,

    /// Address shown in Via, Contact and SDP: an IP for all lines, or LOCAL=IP for lines bound to LOCAL. Repeatable.
    #[arg(long, env = "UM_ADVERTISE", value_name = "[LOCAL=]IP", value_delimiter = ',')]
    pub advertise: Vec<Advertise>,

    /// Name server to ask, IP or IP:PORT (port 53); repeatable, all are equal. None: those of the system's resolv.conf.
    #[arg(long, env = "UM_NAMESERVER", value_name = "IP[:PORT]", value_delimiter = ',', value_parser = parse_nameserver)]
    pub nameserver: Vec<SocketAddr>,

    /// Threads that carry signalling, each with its own share of the calls; one per core at most makes sense.
    #[arg(long, env = "UM_SIGNALLING_THREADS", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub signalling_threads: u16,

    /// Threads that relay media.
    #[arg(long, env = "UM_MEDIA_THREADS", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub media_threads: u16,

    /// New calls and registrations that one source address may bring a second; more get 503. None: no limit.
    #[arg(long, env = "UM_SOURCE_RATE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub source_rate: Option<u32>,

    /// How long a drain waits for calls to end before it hangs them up, in seconds.
    #[arg(long, env = "UM_DRAIN_DEADLINE", value_name = "SECONDS", default_value_t = 3300)]
    pub drain_deadline: u64,

    /// Lets --listen and a plain http:// control address be other than loopback, without TLS.
    #[arg(long, env = "UM_INSECURE")]
    pub insecure: bool,

    /// What is logged: a level or a filter such as `info,um_engine=debug`.
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
  um-worker --id w1
  um-worker --id w1 --control http://127.0.0.1:7400 --state-dir /var/lib/um-worker --signalling-threads 2
  um-worker --id w1 --advertise 203.0.113.7            (behind NAT)

Exit codes: 0 ended after a drain, 1 failed (the message says what to do), 2 wrong flags.";

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
        if self.insecure {
            return Ok(());
        }
        if !self.listen.ip().is_loopback() {
            return Err(format!(
                "--listen {} is not a loopback address; without TLS that needs --insecure",
                self.listen
            ));
        }
        let host = self.control.host().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !loopback {
            return Err(format!(
                "--control {} is not a loopback address; without TLS that needs --insecure",
                self.control
            ));
        }
        Ok(())
    }

    /// The address to advertise for a line bound to `local`, if one was given.
    #[must_use]
    pub fn advertised(&self, local: IpAddr) -> Option<IpAddr> {
        let exact = self.advertise.iter().find(|entry| entry.local == Some(local));
        exact
            .or_else(|| {
                self.advertise
                    .iter()
                    .find(|entry| entry.local.is_none() && entry.advertised.is_ipv4() == local.is_ipv4())
            })
            .map(|entry| entry.advertised)
    }
}

/// A range of UDP ports, both ends included, widened to whole pairs of an even and the next odd port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not FIRST-LAST, two ports from 1024 to 65535 with at least 8 between");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first: u16 = first.trim().parse().map_err(|_| wrong())?;
        let last: u16 = last.trim().parse().map_err(|_| wrong())?;
        if first < 1024 || last < first || last - first < 7 {
            return Err(wrong());
        }
        Ok(Self(first..=last))
    }
}

/// One `--advertise` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advertise {
    /// The bound address that it is for; none: every line of the same address family.
    pub local: Option<IpAddr>,
    /// What is shown to peers.
    pub advertised: IpAddr,
}

impl FromStr for Advertise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ip = |part: &str| {
            part.trim().parse::<IpAddr>().map_err(|_| format!("`{part}` in `{text}` is not an IP address"))
        };
        let value = match text.split_once('=') {
            Some((local, advertised)) => Self { local: Some(ip(local)?), advertised: ip(advertised)? },
            None => Self { local: None, advertised: ip(text)? },
        };
        if value.advertised.is_unspecified() {
            return Err(format!("`{text}` advertises a wildcard; peers need an address they can send to"));
        }
        Ok(value)
    }
}

fn parse_nameserver(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>();
    let plain = || text.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    with_port
        .or_else(|_| plain())
        .ok()
        .filter(|address| !address.ip().is_unspecified() && address.port() != 0)
        .ok_or_else(|| format!("`{text}` is not the IP address of a name server, with or without :PORT"))
}

fn parse_id(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && text.as_bytes()[0].is_ascii_alphanumeric();
    if fits {
        Ok(text.to_owned())
    } else {
        Err("1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from(["um-worker", "--id", "w1"].iter().chain(args))
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let config = config(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7410");
        assert_eq!(config.media_ports, PortRange(20000..=29999));
        assert!(config.validate().is_ok());
    }

    #[test]
    fn a_wildcard_listener_needs_insecure() {
        let open = config(&["--listen", "0.0.0.0:7410"]).unwrap();
        assert!(open.validate().unwrap_err().contains("--insecure"));
        assert!(config(&["--listen", "0.0.0.0:7410", "--insecure"]).unwrap().validate().is_ok());
    }

    #[test]
    fn the_advertised_address_of_a_local_address_comes_before_the_general_one() {
        let config = config(&["--advertise", "203.0.113.7", "--advertise", "10.0.0.1=198.51.100.1"]).unwrap();
        assert_eq!(config.advertised("10.0.0.1".parse().unwrap()), Some("198.51.100.1".parse().unwrap()));
        assert_eq!(config.advertised("10.0.0.2".parse().unwrap()), Some("203.0.113.7".parse().unwrap()));
        assert_eq!(config.advertised("::1".parse().unwrap()), None);
    }

    #[test]
    fn bad_values_are_refused_with_what_would_be_right() {
        for args in [
            ["--media-ports", "20000"],
            ["--media-ports", "30000-20000"],
            ["--media-ports", "20000-20003"],
            ["--advertise", "example.com"],
            ["--advertise", "0.0.0.0"],
            ["--signalling-threads", "0"],
            ["--nameserver", "ns.example.com"],
            ["--nameserver", "0.0.0.0"],
        ] {
            assert!(config(&args).is_err(), "{args:?}");
        }
        assert!(Config::try_parse_from(["um-worker", "--id", "a b"]).is_err());
    }
}
