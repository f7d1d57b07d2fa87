//! The same calls through Kamailio as a stateful proxy, where it is installed, to compare what they cost on this machine.
//!
//! It does less: no media, no offer and answer of its own, no dialog state; what it does of a gateway's work is dispatching,
//! failover, other From and To, Diversion and Record-Route.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    process::Process,
    rig::{GATEWAY, UM_SERVER},
    signalling::{Server, Transport, costs, search},
};

/// Where Debian puts Kamailio's modules.
const MODULES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/kamailio/modules/",
    "/usr/lib/aarch64-linux-gnu/kamailio/modules/",
    "/usr/lib64/kamailio/modules/",
];
/// How long it may take to start.
const START: Duration = Duration::from_secs(2);

/// Measures and prints; says so where Kamailio is not installed.
///
/// # Errors
///
/// It does not start, or an address of the generators is taken.
pub fn measure(seconds: u64, runs: u32) -> Result<()> {
    let installed = Command::new("kamailio").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let Some(modules) = MODULES.iter().find(|path| Path::new(path).is_dir()) else {
        say!("kamailio: not installed (apt-get install kamailio), nothing to compare with");
        return Ok(());
    };
    if installed.is_err() {
        say!("kamailio: not installed (apt-get install kamailio), nothing to compare with");
        return Ok(());
    }
    for transport in [Transport::Udp, Transport::Tcp] {
        let name = transport.name();
        say!("kamailio: {name} to {name}, stateful proxy with -x tlsf, one child, on core 0");
        let folder = tempfile::tempdir()?;
        let process = start(&folder, modules, transport)?;
        let server = Server::start(transport)?;
        costs(&process, &server, transport, seconds, runs)?;
        let highest = search(&server, transport, seconds)?;
        say!("  highest clean rate found: {highest} calls/s on one core");
    }
    Ok(())
}

fn start(folder: &TempDir, modules: &str, transport: Transport) -> Result<Process> {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let configuration = include_str!("kamailio.cfg")
        .replace("@MODULES@", modules)
        .replace("@LIST@", &file("dispatcher.list"))
        .replace("@SOCKET@", &file("ctl.sock"));
    fs::write(file("kamailio.cfg"), configuration)?;
    let transport = match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
    };
    fs::write(file("dispatcher.list"), format!("1 sip:{UM_SERVER}{transport} 0 100\n"))?;
    let (config, run, pid) =
        (file("kamailio.cfg"), folder.path().display().to_string(), file("kamailio.pid"));
    let (udp, tcp) = (format!("udp:{GATEWAY}"), format!("tcp:{GATEWAY}"));
    let arguments = [
        "-f", &config, "-DD", "-E", "-m", "1024", "-M", "16", "-x", "tlsf", "-P", &pid, "-Y", &run, "-l",
        &udp, "-l", &tcp,
    ];
    let arguments = arguments.map(ToOwned::to_owned);
    let log = folder.path().join("kamailio.log");
    let process = Process::start_path(Path::new("kamailio"), "kamailio", &arguments, 0, &log)?;
    std::thread::sleep(START);
    process.cpu().with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
    ensure!(Path::new(&pid).exists(), "kamailio did not start: {}", fs::read_to_string(&log)?);
    Ok(process)
}
