//! A process under load: started on one core, its processor time read from the kernel, ended by its id.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

/// A process that was started here and ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a program of the product on core `core`, its output going to `log`.
    ///
    /// # Errors
    ///
    /// The program was not built, or cannot be started.
    pub fn start(program: &str, arguments: &[String], core: usize, log: &Path) -> Result<Self> {
        Self::start_path(&binary(program)?, program, arguments, core, log)
    }

    /// Starts any program, as [`Process::start`] does.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub fn start_path(
        path: &Path,
        name: &str,
        arguments: &[String],
        core: usize,
        log: &Path,
    ) -> Result<Self> {
        let output = fs::File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} cannot be started", path.display()))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// Processor time that all its threads and its children have used so far.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn cpu(&self) -> Result<Duration> {
        let own = cpu_of(self.child.id()).with_context(|| format!("{} has ended", self.name))?;
        // Kamailio works in children that stay for its life.
        Ok(children(self.child.id())
            .into_iter()
            .filter_map(|child| cpu_of(child).ok())
            .fold(own, |sum, of| sum + of))
    }

    /// Resident memory, bytes.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.unwrap_or_default() * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end. What has children ends them when it is asked to.
        let asked = i32::try_from(self.child.id()).is_ok_and(|id| {
            !children(self.child.id()).is_empty()
                && nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM)
                    .is_ok()
        });
        if asked {
            std::thread::sleep(Duration::from_secs(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cpu_of(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let statistics = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        let running = statistics.split_whitespace().next().and_then(|first| first.parse::<u64>().ok());
        nanoseconds += running.unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn children(process: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Puts the calling thread on the cores that the product does not use.
pub fn leave_core(core: usize) {
    let mut cores = nix::sched::CpuSet::new();
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for other in (0..count).filter(|other| *other != core) {
        // Only a number beyond what the kernel knows could fail.
        let _ = cores.set(other);
    }
    // On a machine with one core everything shares it, and the figures say so by being worse.
    let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &cores);
}

/// The programs stand beside the one that runs.
fn binary(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.with_file_name(program);
    anyhow::ensure!(beside.exists(), "{} is missing; `make bench` builds it", beside.display());
    Ok(beside)
}
