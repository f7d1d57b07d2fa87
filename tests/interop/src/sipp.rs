//! SIPp with its own stock scenarios or others, and the figures that it writes about itself.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::clock;
use crate::place::Place;
use crate::plan::{PILOT, Transport};
use crate::process::Process;

/// One SIPp.
#[derive(Debug)]
pub struct Sipp {
    /// The process.
    pub process: Process,
    statistics: PathBuf,
    errors: PathBuf,
}

/// What SIPp counted from its start to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Calls that it began or took.
    pub created: u64,
    /// Calls that ended as its scenario wants.
    pub successful: u64,
    /// Calls that did not.
    pub failed: u64,
    /// Messages that it had to send again.
    pub retransmissions: u64,
    /// Calls that it holds now.
    pub current: u64,
}

/// Load of a caller.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls a second.
    pub rate: u32,
    /// Calls in all.
    pub calls: u32,
    /// How long a call is held.
    pub hold: Duration,
}

impl Load {
    /// Calls that hang up as soon as they are answered.
    #[must_use]
    pub const fn short(rate: u32, calls: u32) -> Self {
        Self { rate, calls, hold: Duration::ZERO }
    }
}

impl Sipp {
    /// Starts a stock `uas`; `more` are further arguments.
    ///
    /// # Errors
    ///
    /// SIPp cannot be started.
    pub fn uas(
        place: &Place,
        name: &str,
        local: SocketAddr,
        transport: Transport,
        more: &[&str],
    ) -> Result<Self> {
        Self::listening(Self::start(place, name, local, transport, &[&["-sn", "uas"], more].concat())?, name)
    }

    /// Starts a server with a scenario of its own.
    ///
    /// # Errors
    ///
    /// SIPp cannot be started, or finds fault with the scenario.
    pub fn server(
        place: &Place,
        name: &str,
        scenario: &str,
        local: SocketAddr,
        transport: Transport,
    ) -> Result<Self> {
        let file = shown(&place.write(&format!("{name}.xml"), scenario)?);
        Self::listening(Self::start(place, name, local, transport, &["-sf", &file])?, name)
    }

    fn listening(mut sipp: Self, name: &str) -> Result<Self> {
        clock::until(&format!("{name} to listen"), Duration::from_secs(5), || {
            sipp.process.must_run()?;
            ensure!(sipp.statistics.is_file(), "it writes no figures yet");
            Ok(())
        })?;
        Ok(sipp)
    }

    /// Starts a stock caller, `uac` or `uac_pcap`, that calls the pilot through the worker.
    ///
    /// # Errors
    ///
    /// SIPp cannot be started.
    pub fn caller(
        place: &Place,
        scenario: &str,
        local: Ipv4Addr,
        worker: SocketAddr,
        transport: Transport,
        load: Load,
    ) -> Result<Self> {
        Self::call(place, ["-sn", scenario], local, worker, transport, load)
    }

    /// Starts a caller with a scenario of its own.
    ///
    /// # Errors
    ///
    /// SIPp cannot be started.
    pub fn caller_of(
        place: &Place,
        scenario: &str,
        local: Ipv4Addr,
        worker: SocketAddr,
        transport: Transport,
        load: Load,
    ) -> Result<Self> {
        let file = shown(&place.write("caller.xml", scenario)?);
        Self::call(place, ["-sf", &file], local, worker, transport, load)
    }

    fn call(
        place: &Place,
        [kind, scenario]: [&str; 2],
        local: Ipv4Addr,
        worker: SocketAddr,
        transport: Transport,
        load: Load,
    ) -> Result<Self> {
        let (worker, rate) = (worker.to_string(), load.rate.to_string());
        let (calls, hold) = (load.calls.to_string(), load.hold.as_millis().to_string());
        let arguments = [
            kind,
            scenario,
            &worker,
            "-s",
            PILOT,
            "-r",
            &rate,
            "-m",
            &calls,
            "-d",
            &hold,
            "-l",
            "100000",
            "-timeout",
            "180",
            "-timeout_error",
            "-recv_timeout",
            "40000",
        ];
        Self::start(place, "caller", SocketAddr::from((local, 5060)), transport, &arguments)
    }

    /// Starts SIPp on a scenario of the test's own, kept as `NAME.xml` in the place; `more` are further arguments.
    ///
    /// # Errors
    ///
    /// SIPp cannot be started, or does not begin.
    pub fn scripted(
        place: &Place,
        name: &str,
        local: SocketAddr,
        transport: Transport,
        script: &str,
        more: &[&str],
    ) -> Result<Self> {
        let path = place.write(&format!("{name}.xml"), script)?.display().to_string();
        let sipp = Self::start(place, name, local, transport, &[&["-sf", path.as_str()], more].concat())?;
        clock::until(&format!("{name} to begin"), Duration::from_secs(5), || {
            ensure!(sipp.statistics.is_file(), "it writes no figures yet: {}", sipp.process.output());
            Ok(())
        })?;
        Ok(sipp)
    }

    /// Waits until it has ended so many calls, well or not, and returns what it counted.
    ///
    /// # Errors
    ///
    /// It has not within `limit`.
    pub fn figures_within(&self, limit: Duration, calls: u64) -> Result<Figures> {
        clock::until("SIPp's calls to end", limit, || {
            let figures = self.figures()?;
            ensure!(figures.successful + figures.failed >= calls, "{figures:?}");
            Ok(figures)
        })
    }

    fn start(
        place: &Place,
        name: &str,
        local: SocketAddr,
        transport: Transport,
        more: &[&str],
    ) -> Result<Self> {
        let audio = place.file("pcap");
        if !audio.exists() {
            // The stock scenario names its recordings relative to where it runs.
            std::os::unix::fs::symlink(RECORDINGS, &audio).context("a link to SIPp's recordings")?;
        }
        let file = |suffix: &str| place.file(&format!("{name}.{suffix}"));
        let (statistics, errors) = (file("csv"), file("errors.log"));
        let (host, port) = (local.ip().to_string(), local.port().to_string());
        let mode = match transport {
            Transport::Udp => "u1",
            Transport::Tcp => "t1",
        };
        let [statistics_path, errors_path] = [&statistics, &errors].map(|path| shown(path));
        let common = [
            "-i",
            &host,
            "-p",
            &port,
            "-mi",
            &host,
            "-t",
            mode,
            "-nostdin",
            "-skip_rlimit",
            "-trace_stat",
            "-stf",
            &statistics_path,
            "-fd",
            "1",
            "-trace_err",
            "-error_file",
            &errors_path,
        ];
        let process = Process::start(place, name, Path::new("sipp"), more.iter().chain(&common))?;
        Ok(Self { process, statistics, errors })
    }

    /// Waits until a caller has placed and ended all its calls, and returns what it counted.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub fn finish(&mut self, limit: Duration) -> Result<Figures> {
        self.process.wait(limit)?;
        self.figures()
    }

    /// Tells it to stop, and returns what it counted.
    ///
    /// # Errors
    ///
    /// It does not end within ten seconds.
    pub fn stop(&mut self) -> Result<Figures> {
        // The first asks it to end its calls, the second to end at once.
        self.process.signal(Signal::SIGUSR1)?;
        if self.process.wait(Duration::from_secs(5)).is_err() {
            self.process.signal(Signal::SIGUSR1)?;
            self.process.wait(Duration::from_secs(5))?;
        }
        self.figures()
    }

    /// Returns what it had counted when it last wrote that down, which it does every second.
    ///
    /// # Errors
    ///
    /// It has written nothing, or something else.
    pub fn figures(&self) -> Result<Figures> {
        let text = fs::read_to_string(&self.statistics).context("SIPp's figures")?;
        let mut lines = text.lines();
        let headings: Vec<&str> = lines.next().context("headings")?.split(';').collect();
        let last: Vec<&str> = lines.next_back().context("a line of figures")?.split(';').collect();
        ensure!(headings.len() == last.len(), "half a line of figures");
        let figure = |name: &str| -> Result<u64> {
            let column = headings.iter().position(|heading| *heading == name);
            let cell = column.and_then(|column| last.get(column)).with_context(|| format!("no {name}"))?;
            cell.parse().with_context(|| format!("{name} is `{cell}`"))
        };
        Ok(Figures {
            created: figure("TotalCallCreated")?,
            successful: figure("SuccessfulCall(C)")?,
            failed: figure("FailedCall(C)")?,
            retransmissions: figure("Retransmissions(C)")?,
            current: figure("CurrentCall")?,
        })
    }

    /// Returns what it complained about.
    #[must_use]
    pub fn complaints(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default().chars().take(4_000).collect()
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Where Debian's package keeps what `uac_pcap` plays.
pub const RECORDINGS: &str = "/usr/share/sip-tester";
