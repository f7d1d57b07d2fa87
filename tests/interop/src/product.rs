//! The product as processes: um-control on its store, um-worker, umctl.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

use crate::clock;
use crate::http;
use crate::place::Place;
use crate::plan::{CALLERS, Plan, Transport};
use crate::process::{Process, binary};

/// Longest time for a process to start.
const START: Duration = Duration::from_secs(15);

/// Where um-control keeps the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a file.
    Embedded,
    /// In an etcd that this starts.
    Etcd,
}

/// All processes.
#[derive(Debug)]
pub struct Product<'a> {
    place: &'a Place,
    store: Store,
    signalling_threads: u16,
    flags: Vec<String>,
    /// etcd, where it is the store.
    pub etcd: Option<Process>,
    /// um-control.
    pub control: Option<Process>,
    /// um-worker.
    pub worker: Option<Process>,
}

impl<'a> Product<'a> {
    /// Starts everything on the embedded store with one signalling thread, applies the plan and waits until the worker
    /// runs it.
    ///
    /// # Errors
    ///
    /// Something does not start, or the plan is refused.
    pub fn start(place: &'a Place, plan: &Plan) -> Result<Self> {
        Self::start_with(place, plan, Store::Embedded, 1)
    }

    /// Starts everything.
    ///
    /// # Errors
    ///
    /// Something does not start, or the plan is refused.
    pub fn start_with(place: &'a Place, plan: &Plan, store: Store, signalling_threads: u16) -> Result<Self> {
        let mut product = Self {
            place,
            store,
            signalling_threads,
            flags: Vec::new(),
            etcd: None,
            control: None,
            worker: None,
        };
        product.start_store()?;
        product.start_control()?;
        product.apply("plan.yaml", &plan.manifest())?;
        product.start_worker()?;
        Ok(product)
    }

    /// Starts everything as [`start`](Self::start) does, on manifests of the test's own and with further flags of the
    /// worker.
    ///
    /// # Errors
    ///
    /// Something does not start, or the manifests are refused.
    pub fn start_flagged(place: &'a Place, manifest: &str, flags: &[&str]) -> Result<Self> {
        let mut product = Self {
            place,
            store: Store::Embedded,
            signalling_threads: 1,
            flags: flags.iter().map(ToString::to_string).collect(),
            etcd: None,
            control: None,
            worker: None,
        };
        product.start_control()?;
        product.apply("plan.yaml", manifest)?;
        product.start_worker()?;
        Ok(product)
    }

    /// Starts etcd, where it is the store.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn start_store(&mut self) -> Result<()> {
        if self.store == Store::Embedded {
            return Ok(());
        }
        let client = format!("http://{}", self.etcd_address());
        let peer = format!("http://{}", self.place.at(1, 2380));
        let folder = self.place.file("etcd").display().to_string();
        let cluster = format!("default={peer}");
        let arguments = [
            "--data-dir",
            &folder,
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
            "--initial-cluster",
            &cluster,
        ];
        self.etcd = Some(Process::start(self.place, "etcd", "etcd".as_ref(), arguments)?);
        clock::until("etcd", START, || http::get(self.etcd_address(), "/health").map(drop))
    }

    /// Starts um-control.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn start_control(&mut self) -> Result<()> {
        let store = match self.store {
            Store::Embedded => format!("embedded:{}", self.place.file("control.redb").display()),
            Store::Etcd => format!("etcd:http://{}", self.etcd_address()),
        };
        let listen = self.place.at(1, 7400).to_string();
        let arguments = ["--listen", &listen, "--store", &store];
        self.control = Some(Process::start(self.place, "control", &binary("um-control")?, arguments)?);
        clock::until("um-control", START, || self.umctl(&["get", "lines"]).map(drop))
    }

    /// Starts um-worker and waits until it is ready.
    ///
    /// # Errors
    ///
    /// It does not become ready.
    pub fn start_worker(&mut self) -> Result<()> {
        let (control, listen) = (self.server(), self.admin().to_string());
        let (state, threads) =
            (self.place.file("worker").display().to_string(), self.signalling_threads.to_string());
        let arguments = [
            "--id",
            "w1",
            "--control",
            &control,
            "--listen",
            &listen,
            "--state-dir",
            &state,
            "--signalling-threads",
            &threads,
        ];
        let arguments = arguments.into_iter().chain(self.flags.iter().map(String::as_str));
        self.worker = Some(Process::start(self.place, "worker", &binary("um-worker")?, arguments)?);
        clock::until("um-worker to be ready", START, || http::get(self.admin(), "/ready").map(drop))
    }

    /// Applies manifests.
    ///
    /// # Errors
    ///
    /// They are refused.
    pub fn apply(&self, name: &str, manifest: &str) -> Result<String> {
        let path = self.place.write(name, manifest)?.display().to_string();
        self.umctl(&["apply", "-f", &path])
    }

    /// Runs umctl and returns what it printed.
    ///
    /// # Errors
    ///
    /// It ended with something else than 0.
    pub fn umctl(&self, arguments: &[&str]) -> Result<String> {
        let Output { status, stdout, stderr } = Command::new(binary("umctl")?)
            .args(["--server", &self.server()])
            .args(arguments)
            .output()
            .context("umctl cannot be started")?;
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        ensure!(status.success(), "umctl {}: {status}\n{stdout}{stderr}", arguments.join(" "));
        Ok(stdout.into_owned())
    }

    /// Runs umctl and reads its JSON.
    ///
    /// # Errors
    ///
    /// As [`umctl`](Self::umctl), or what it printed is not JSON.
    pub fn umctl_json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.umctl(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("umctl {} printed\n{text}", arguments.join(" ")))
    }

    /// Returns the worker's status document.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&http::get(self.admin(), "/status")?)?)
    }

    /// Returns the state of a target in the worker's eyes.
    ///
    /// # Errors
    ///
    /// It knows no such target.
    pub fn target_state(&self, entry: &str) -> Result<String> {
        let status = self.status()?;
        let targets = status["targets"].as_array().context("targets")?;
        let found = targets.iter().find(|target| target["entry"] == entry);
        Ok(found.with_context(|| format!("no target {entry} in {targets:?}"))?["state"]
            .to_string()
            .replace('"', ""))
    }

    /// Waits until the worker holds no call, dialog, media port or relay.
    ///
    /// # Errors
    ///
    /// It still holds some after `limit`.
    pub fn settled(&self, limit: Duration) -> Result<()> {
        clock::until("the worker to give everything back", limit, || {
            let status = self.status()?;
            let usage = &status["usage"];
            let held = ["calls", "dialogs", "port_pairs", "relays"].iter().any(|name| usage[*name] != 0);
            ensure!(!held && status["calls"] == 0, "{usage}, calls {}", status["calls"]);
            Ok(())
        })
    }

    /// Returns the sum of all samples of a metric whose labels contain `label`.
    ///
    /// # Errors
    ///
    /// There is no such sample.
    pub fn metric(&self, name: &str, label: &str) -> Result<u64> {
        let text = http::get(self.admin(), "/metrics")?;
        let samples = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') && rest.contains(label))
        });
        let values = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let sum = values.reduce(|left, right| left + right);
        let sum = sum.ok_or_else(|| anyhow!("no {name} with {label} among\n{text}"))?;
        format!("{sum:.0}").parse().context("a count")
    }

    /// Returns where callers call.
    #[must_use]
    pub const fn callers(&self) -> SocketAddr {
        self.place.at(2, CALLERS)
    }

    /// Returns where the worker tells its health.
    #[must_use]
    pub const fn admin(&self) -> SocketAddr {
        self.place.at(2, 7410)
    }

    const fn etcd_address(&self) -> SocketAddr {
        self.place.at(1, 2379)
    }

    fn server(&self) -> String {
        format!("http://{}", self.place.at(1, 7400))
    }
}

/// Returns the plan of a place with these UM servers.
#[must_use]
pub fn plan(place: &Place, inbound: Transport, outbound: Transport, servers: &[SocketAddr]) -> Plan {
    Plan::new(place.host(2), inbound, outbound, servers)
}
