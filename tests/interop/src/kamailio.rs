//! Kamailio as a proxy in the middle: it records itself in the route, routes dialogs loosely, and forks.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::clock;
use crate::place::Place;
use crate::process::Process;

/// A running Kamailio; it ends when it is dropped.
#[derive(Debug)]
pub struct Kamailio {
    /// Where it listens, over UDP and TCP.
    pub local: SocketAddr,
    process: Process,
}

impl Kamailio {
    /// Starts it; `route` says, in its own language, where an INVITE that makes a dialog goes.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not answer.
    pub fn start(place: &Place, local: SocketAddr, route: &str) -> Result<Self> {
        let (ip, port) = (local.ip(), local.port());
        let config = place.write(
            "kamailio.cfg",
            &CONFIG.replace("LISTEN", &format!("{ip}:{port}")).replace("ROUTE", route),
        )?;
        let (config, folder) = (config.display().to_string(), place.folder().display().to_string());
        // Its main process starts the others and waits for them; it logs to standard error.
        let arguments =
            ["-f", &config, "-DD", "-E", "-m", "32", "-M", "4", "-x", "tlsf", "-w", &folder, "-Y", &folder];
        let process = Process::start(place, "kamailio", Path::new("kamailio"), arguments)?;
        let mut proxy = Self { local, process };
        let caller = crate::Caller::new(local.ip(), local)?;
        clock::until("Kamailio", Duration::from_secs(15), || {
            proxy.process.must_run()?;
            let status = caller.options()?;
            ensure!(status == 200, "it answered {status}");
            Ok(())
        })?;
        Ok(proxy)
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // It ends its children only if it is asked to end; gone already is as good.
        if self.process.signal(Signal::SIGTERM).is_ok() {
            let _ = self.process.wait(Duration::from_secs(5));
        }
    }
}

const CONFIG: &str = r#"#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:LISTEN
listen=tcp:LISTEN
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "corex.so"
request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (method == "OPTIONS" && !has_totag()) { sl_send_reply("200", "OK"); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (method == "ACK") { if (t_check_trans()) { t_relay(); } exit; }
        sl_send_reply("404", "Not Here");
        exit;
    }
    if (method == "CANCEL") { if (t_check_trans()) { t_relay(); } exit; }
    record_route();
    ROUTE
    t_relay();
}
"#;
