//! The command line, turned into addresses, times and behaviours.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use clap::{Args, Parser, Subcommand};
use um_double::{Behaviour, server::parse_time, tone::ALPHABET};
use um_media::PortRange;
use um_sip::Transport;

/// Far ends for umgate: a UM server and a caller that say who they are, in tones.
///
/// The server refuses calls that are wrong for a UM server and says why. The caller hears which server and which mailbox it
/// reached, and draws the ladder of the call.
#[derive(Debug, Parser)]
#[command(name = "um-double", version, max_term_width = 110, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs a UM server until it is stopped with Ctrl-C or SIGTERM.
    Server(Server),
    /// Places a call and reports how it went: 0 answered, 3 not answered, 4 not as --expect says, 1 failed, 2 wrong flags.
    Call(Call),
    /// Sends one command to the control port of a server and prints the reply (JSON).
    Tell(Tell),
}

const EXAMPLES: &str = "Examples:
  um-double server --name um1 --listen tcp:127.0.0.1:5071 --pilot 6000 --mailbox 2001 --mailbox lee@example.com
  um-double call --to sip:6000@127.0.0.1:5060 --diversion '2001;no-answer'
  um-double call --to sip:2001@127.0.0.1:5060 --transport tcp --hold 10s --json
  um-double tell 127.0.0.1:6071 behave busy:503,retry-after=7
  um-double tell 127.0.0.1:6071 stats";

/// What a server is.
#[derive(Clone, Debug, Args)]
pub(super) struct Server {
    /// Its name, said in every call.
    #[arg(long, default_value = "um1", value_parser = parse_name)]
    pub(super) name: String,

    /// Where it listens: udp:IP:PORT or tcp:IP:PORT; several with commas. A redirect goes from one to the next.
    #[arg(long, default_value = "udp:127.0.0.1:5071,tcp:127.0.0.1:5071", value_name = "ADDRESS", value_delimiter = ',', value_parser = parse_listen)]
    pub(super) listen: Vec<(Transport, SocketAddr)>,

    /// Pilot number; repeatable.
    #[arg(long, default_value = "6000", value_name = "NUMBER")]
    pub(super) pilot: Vec<String>,

    /// Mailbox: an extension, or user@host; repeatable.
    #[arg(long, default_value = "2001", value_name = "MAILBOX")]
    pub(super) mailbox: Vec<String>,

    /// How it behaves: normal | dead | silent | slow:TIME | ringing | busy:CODE[,retry-after=SECONDS] | redirect:1 | redirect:2 |
    /// redirect:URI | calls-only (no answer to OPTIONS) | probes-only (no answer to calls) | close-connection | hang-up:TIME.
    #[arg(long, default_value = "normal", value_name = "BEHAVIOUR")]
    pub(super) behave: Behaviour,

    /// Time from the INVITE to the 200.
    #[arg(long, default_value = "200ms", value_name = "TIME", value_parser = time)]
    pub(super) answer_after: Duration,

    /// Most calls at once.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(super) max_calls: usize,

    /// UDP ports for media, FIRST-LAST.
    #[arg(long, default_value = "31000-32999", value_name = "FIRST-LAST", value_parser = parse_ports)]
    pub(super) media_ports: PortRange,

    /// Control port for tests: one command a line (help, behave, stats, calls, active, ladder), one JSON reply a line.
    #[arg(long, value_name = "IP:PORT")]
    pub(super) control: Option<SocketAddr>,
}

/// What a call is.
#[derive(Clone, Debug, Args)]
pub(super) struct Call {
    /// Whom to call: the Request-URI; its host and port are where the INVITE is sent.
    #[arg(long, value_name = "URI")]
    pub(super) to: String,

    /// Who calls: a SIP URI, or a number.
    #[arg(long, default_value = "sip:5551234@pbx.example.com", value_name = "URI")]
    pub(super) from: String,

    /// Who diverted the call and why, as `2001;no-answer` or `sip:2001@pbx.example.com;user-busy`; repeatable, topmost first.
    #[arg(long, value_name = "WHO[;REASON]")]
    pub(super) diversion: Vec<String>,

    /// udp or tcp. Default: what the URI says, else udp.
    #[arg(long, value_parser = parse_transport, value_name = "NAME")]
    pub(super) transport: Option<Transport>,

    /// Send the INVITE there instead of to the host of --to.
    #[arg(long, value_name = "IP:PORT")]
    pub(super) via: Option<SocketAddr>,

    /// Our own address. Default: the one from which the gateway is reached, any free port.
    #[arg(long, value_name = "IP:PORT")]
    pub(super) local: Option<SocketAddr>,

    /// Time from the answer to the hang-up.
    #[arg(long, default_value = "3s", value_name = "TIME", value_parser = time)]
    pub(super) hold: Duration,

    /// Cancel the call if it is not answered by then.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) cancel_after: Option<Duration>,

    /// Send no offer in the INVITE.
    #[arg(long)]
    pub(super) delayed_offer: bool,

    /// What the caller says, in tones.
    #[arg(long, default_value = "caller", value_name = "TEXT")]
    pub(super) says: String,

    /// UDP ports for media, FIRST-LAST. Default: any free pair.
    #[arg(long, value_name = "FIRST-LAST", value_parser = parse_ports)]
    pub(super) media_ports: Option<PortRange>,

    /// Draw the other leg too, as this server saw it: NAME=CONTROL-ADDRESS; repeatable.
    #[arg(long, value_name = "NAME=IP:PORT", value_parser = parse_beside)]
    pub(super) beside: Vec<(String, SocketAddr)>,

    /// End with code 4 unless this server and mailbox are heard, as `um2/2001`.
    #[arg(long, value_name = "SERVER/MAILBOX")]
    pub(super) expect: Option<String>,

    /// Print the report as JSON instead of drawing it.
    #[arg(long)]
    pub(super) json: bool,
}

/// A command for a control port.
#[derive(Clone, Debug, Args)]
pub(super) struct Tell {
    /// Address of the control port.
    pub(super) control: SocketAddr,
    /// The command.
    #[arg(required = true, trailing_var_arg = true)]
    pub(super) words: Vec<String>,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| "a number with ms, s or m, such as 500ms or 3s".into())
}

fn parse_name(text: &str) -> Result<String, String> {
    let fits = |character: char| character != '/' && ALPHABET.contains(character);
    if (1..=16).contains(&text.len()) && text.chars().all(fits) {
        Ok(text.into())
    } else {
        Err("1 to 16 of a-z, 0-9 and signs that can be said; no slash, no upper case".into())
    }
}

fn parse_transport(text: &str) -> Result<Transport, String> {
    Transport::from_token(text).ok_or_else(|| "udp or tcp".into())
}

fn parse_listen(text: &str) -> Result<(Transport, SocketAddr), String> {
    let wrong = || "udp:IP:PORT or tcp:IP:PORT".to_owned();
    let (transport, address) = text.split_once(':').ok_or_else(wrong)?;
    Ok((parse_transport(transport)?, address.parse().map_err(|_| wrong())?))
}

fn parse_ports(text: &str) -> Result<PortRange, String> {
    let ports = text.split_once('-').and_then(|(first, last)| {
        Some(PortRange { first: u16::from_str(first).ok()?, last: u16::from_str(last).ok()? })
    });
    ports
        .filter(|ports| ports.first >= 1024 && ports.pairs() > 0)
        .ok_or_else(|| "FIRST-LAST, from 1024 to 65535".into())
}

fn parse_beside(text: &str) -> Result<(String, SocketAddr), String> {
    let wrong = || "NAME=IP:PORT".to_owned();
    let (name, address) = text.split_once('=').ok_or_else(wrong)?;
    Ok((name.into(), address.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_server_can_listen_on_several_addresses() {
        let arguments = Arguments::try_parse_from([
            "um-double",
            "server",
            "--listen",
            "udp:127.0.0.1:5071,tcp:[::1]:5072",
        ]);
        let Command::Server(server) = arguments.expect("valid").command else { panic!("another command") };
        assert_eq!(server.listen.len(), 2);
        assert_eq!(server.listen[1], (Transport::Tcp, "[::1]:5072".parse().expect("an address")));
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            ["server", "--listen", "127.0.0.1:5071"],
            ["server", "--name", "UM/1"],
            ["server", "--behave", "angry"],
            ["server", "--media-ports", "10-5"],
            ["server", "--answer-after", "soon"],
            ["call", "--transport", "tls"],
        ] {
            assert!(Arguments::try_parse_from(["um-double"].iter().chain(&words)).is_err(), "{words:?}");
        }
    }
}
