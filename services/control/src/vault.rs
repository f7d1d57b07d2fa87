//! Seals the secrets of resources before they reach the store: AES-256-GCM under a key of a file (NIST SP 800-38D).
//!
//! What is sealed is bound to its resource, so that nobody can move it to another one, and remembers which key sealed it.
//! A file may hold several keys: the first seals, all open, so that keys can be changed without a moment without secrets.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest,
};

/// The keys of a file; without any, secrets can be neither sealed nor opened. Cheap to clone.
#[derive(Clone, Default)]
pub struct Vault {
    keys: Arc<[(String, RandomizedNonceKey)]>,
}

/// What the store holds of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Which key sealed it.
    pub key_id: String,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or made.
    #[error("{} cannot be used: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is no key.
    #[error("{}:{line} is no key: 64 hexadecimal digits, as `openssl rand -hex 32` prints them", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1; its text is not shown.
        line: usize,
    },
    /// There is no key in it.
    #[error("{} holds no key", .0.display())]
    Empty(PathBuf),
}

/// Why a secret cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another key sealed it.
    #[error("its secret is sealed with key {key_id}, which the file of --secret-key does not hold")]
    OtherKey {
        /// The key.
        key_id: String,
    },
    /// It is not what was sealed.
    #[error("its secret is damaged")]
    Damaged,
}

impl Vault {
    /// Reads the keys of a file: one a line, in hexadecimal digits; empty lines and those that begin with `#` do not
    /// count.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a line is no key.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text =
            fs::read_to_string(path).map_err(|error| KeyFileError::Io { path: path.to_owned(), error })?;
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let no_key = || KeyFileError::NoKey { path: path.to_owned(), line: number };
            let bytes = hex(line).filter(|bytes| bytes.len() == KEY_BYTES).ok_or_else(no_key)?;
            keys.push((id_of(&bytes), RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| no_key())?));
        }
        if keys.is_empty() {
            return Err(KeyFileError::Empty(path.to_owned()));
        }
        Ok(Self { keys: keys.into() })
    }

    /// Makes a file with a new key that only its owner can read, unless the file is there.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub fn ensure(path: &Path) -> Result<(), KeyFileError> {
        let fail = |error| KeyFileError::Io { path: path.to_owned(), error };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        let mut key = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| fail(io::Error::other("no random numbers")))?;
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(mut file) => {
                let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                file.write_all(format!("{digits}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(fail)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(fail(error)),
        }
    }

    /// Says whether secrets can be sealed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Seals a secret of a resource; nothing without a key.
    #[must_use]
    pub fn seal(&self, owner: &str, secret: &str) -> Option<Sealed> {
        let (key_id, key) = self.keys.first()?;
        let mut text = secret.as_bytes().to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut text).ok()?;
        let bytes = [nonce.as_ref().as_slice(), &text].concat();
        Some(Sealed { key_id: key_id.clone(), bytes })
    }

    /// Opens what was sealed for a resource.
    ///
    /// # Errors
    ///
    /// The key is not here, or it is not what was sealed for this resource.
    pub fn open(&self, owner: &str, sealed: &Sealed) -> Result<String, OpenError> {
        let other_key = || OpenError::OtherKey { key_id: sealed.key_id.clone() };
        let (_, key) = self.keys.iter().find(|(id, _)| *id == sealed.key_id).ok_or_else(other_key)?;
        let (nonce, text) = sealed.bytes.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Damaged)?;
        let (nonce, mut text) = (Nonce::assume_unique_for_key(*nonce), text.to_vec());
        let opened = key.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut text);
        let opened = opened.map_err(|_| OpenError::Damaged)?;
        String::from_utf8(opened.to_vec()).map_err(|_| OpenError::Damaged)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

/// A key is told from others by the beginning of its hash.
fn id_of(key: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, key);
    hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then_some(())?;
    pairs.map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
}

const KEY_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("keys");
        fs::write(&path, text).unwrap();
        path
    }

    fn vault(folder: &Path, text: &str) -> Vault {
        Vault::read(&file(folder, text)).unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path(), &"a1".repeat(32));
        let sealed = vault.seal("credentials/um", "correct-horse").unwrap();
        assert!(!String::from_utf8_lossy(&sealed.bytes).contains("correct"));
        assert_ne!(vault.seal("credentials/um", "correct-horse").unwrap(), sealed, "never the same nonce");
        assert_eq!(vault.open("credentials/um", &sealed).as_deref(), Ok("correct-horse"));
        assert_eq!(vault.open("credentials/other", &sealed), Err(OpenError::Damaged));
        let cut = Sealed { bytes: sealed.bytes[..20].to_vec(), ..sealed };
        assert_eq!(vault.open("credentials/um", &cut), Err(OpenError::Damaged));
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = ("0f".repeat(32), "F0".repeat(32));
        let before = vault(folder.path(), &old);
        let sealed = before.seal("a", "x").unwrap();
        let both = vault(folder.path(), &format!("# new first\n{new}\n\n{old}\n"));
        assert_eq!(both.open("a", &sealed).as_deref(), Ok("x"));
        let sealed = both.seal("a", "x").unwrap();
        let key_id = sealed.key_id.clone();
        assert_eq!(before.open("a", &sealed), Err(OpenError::OtherKey { key_id }));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "# only a remark\n", "a1", &"zz".repeat(32), &"a".repeat(63), "ä"] {
            let error = Vault::read(&file(folder.path(), text)).unwrap_err().to_string();
            assert!(!error.contains("zz"), "{error}");
        }
        assert!(Vault::read(&folder.path().join("missing")).is_err());
        assert!(Vault::default().seal("a", "x").is_none());
    }

    #[test]
    fn a_new_key_file_is_its_owners_and_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/control.key");
        Vault::ensure(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let first = fs::read_to_string(&path).unwrap();
        Vault::ensure(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        assert!(Vault::read(&path).unwrap().is_open());
    }
}
