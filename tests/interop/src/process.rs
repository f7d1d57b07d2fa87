//! A child process that cannot outlive its owner, with its output in a file that a failing test shows.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock;
use crate::place::Place;

/// Lines of a log that a failing test shows.
const TAIL: usize = 25;

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in the place's folder; its output goes to `NAME.log` there, after what an earlier one of that
    /// name wrote.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub fn start<S: AsRef<OsStr>>(
        place: &Place,
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let log = place.file(&format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).context("the log of a process")?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(place.folder())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| {
                format!("{} cannot be started; `make bootstrap` installs it", program.display())
            })?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Ends it as a crash would (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    ///
    /// It cannot be waited for.
    pub fn crash(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("{} cannot be killed", self.name))?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).context("a process id")?;
        kill(Pid::from_raw(id), signal).with_context(|| format!("{signal} to {}", self.name))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// It still runs at the end of `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        clock::until(&format!("{} to end", self.name), limit, || {
            self.child.try_wait()?.ok_or_else(|| anyhow!("it still runs"))
        })
    }

    /// Checks that it still runs.
    ///
    /// # Errors
    ///
    /// It ended; the message has the tail of its log.
    pub fn must_run(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended with {status}:\n{}", self.name, tail(&self.log));
        }
        Ok(())
    }

    /// Returns its resident memory in octets.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
        let kilobytes: u64 = line.split_whitespace().next().context("a number")?.parse()?;
        Ok(kilobytes * 1024)
    }

    /// Returns all it has written.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a test in a place of its own; where it fails, the logs of all processes are shown before the place goes.
///
/// # Errors
///
/// What the test returns.
pub fn in_place(test: impl FnOnce(&Place) -> Result<()>) -> Result<()> {
    let place = Place::new()?;
    let outcome = test(&place);
    if outcome.is_err() {
        show_logs(&place);
    }
    outcome
}

fn show_logs(place: &Place) {
    let Ok(entries) = std::fs::read_dir(place.folder()) else { return };
    let mut logs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    logs.retain(|path| path.extension().is_some_and(|kind| kind == "log"));
    logs.sort();
    for log in logs {
        eprintln!("---- {} ends with\n{}", log.display(), tail(&log));
    }
}

fn tail(log: &Path) -> String {
    let text =
        std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// Finds a binary of the product beside the test that runs.
///
/// # Errors
///
/// It has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("the path of this test")?;
    let folder = test.ancestors().nth(2).context("the folder of the build")?;
    let path = folder.join(name);
    ensure!(
        path.is_file(),
        "{} is missing: tests start real processes; `make interop` builds them, or run `cargo build --workspace` first",
        path.display()
    );
    Ok(path)
}
