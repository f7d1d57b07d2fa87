//! Where a test runs: a /24 of loopback for itself, so that tests with fixed SIP ports never meet, and a folder for its files.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// Places taken in this process.
static TAKEN: AtomicU8 = AtomicU8::new(0);

/// The addresses and the folder of one test.
#[derive(Debug)]
pub struct Place {
    network: [u8; 2],
    folder: TempDir,
}

impl Place {
    /// Takes a /24 that no other test of this run has, and makes a folder.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn new() -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("um-interop-").tempdir().context("a folder for the test")?;
        let process = std::process::id();
        let serial = TAKEN.fetch_add(1, Ordering::Relaxed);
        // A process a test under nextest, a thread a test under `cargo test`: both are told apart.
        let high = u8::try_from(process / 250 % 50).unwrap_or_default() * 4 + 8 + serial % 4;
        let low = u8::try_from(process % 250).unwrap_or_default().wrapping_add(serial / 4 * 7);
        Ok(Self { network: [high, low], folder })
    }

    /// Returns the address with this last part; 1 to 9 are the product's, the rest the test's.
    #[must_use]
    pub const fn host(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.network[0], self.network[1], last)
    }

    /// Returns [`host`](Self::host) with a port.
    #[must_use]
    pub const fn at(&self, last: u8, port: u16) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(self.host(last)), port)
    }

    /// Returns how many datagrams the kernel has dropped at this UDP port because its owner did not read them in time.
    ///
    /// # Errors
    ///
    /// Nobody has the port.
    pub fn dropped(&self, last: u8, port: u16) -> Result<u64> {
        let bytes = self.host(last).octets();
        let wanted = format!("{:08X}:{port:04X}", u32::from_le_bytes(bytes));
        let table = std::fs::read_to_string("/proc/net/udp").context("the kernel's UDP ports")?;
        let row = table.lines().find(|row| row.split_whitespace().nth(1) == Some(wanted.as_str()));
        let drops = row.and_then(|row| row.split_whitespace().next_back());
        drops.context("nobody has the port")?.parse().context("a number of drops")
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of a file in the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder and returns its path.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }
}
