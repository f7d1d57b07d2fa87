//! A file of checksummed records: appended to, rewritten by rename, and read back up to the first record that is not whole.
//!
//! It knows nothing of what the records mean (`last_known_good.rs` does). A crash in the middle of an append costs that
//! record only; a crash in the middle of a rewrite costs nothing, the old file is still there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// First bytes of every journal; the digit is the format.
const MAGIC: &[u8; 8] = b"UMJRNL1\n";
/// Longest record, bytes: a length above it is damage, not data.
const MAX_RECORD: usize = 16 << 20;

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    unsynced: bool,
}

impl Journal {
    /// Opens the journal at `path`, handing every whole record to `on_record`; what follows a damaged record is cut off.
    ///
    /// # Errors
    ///
    /// When the directory cannot be created or the file not be read.
    pub(crate) fn open(path: &Path, mut on_record: impl FnMut(&[u8])) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut journal = Self { path: path.to_owned(), file: None, length: 0, unsynced: false };
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(journal),
            Err(error) => return Err(error),
        };
        let whole = read_records(&mut BufReader::new(&file), &mut on_record)?;
        if whole >= MAGIC.len() as u64 {
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            journal.length = whole;
            journal.file = Some(file);
        }
        Ok(journal)
    }

    /// Replaces the whole content, so that a crash leaves either the old or the new one.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written; the old content then stays.
    pub(crate) fn rewrite(&mut self, records: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        // It may hold passwords: nobody but its owner reads it, whatever a left-over of an older version allowed.
        let _ = fs::remove_file(&fresh);
        let mut writer =
            BufWriter::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?);
        let mut length = MAGIC.len() as u64;
        writer.write_all(MAGIC)?;
        for record in records {
            length += write_record(&mut writer, &record)?;
        }
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        if let Some(directory) = self.path.parent() {
            File::open(if directory.as_os_str().is_empty() { Path::new(".") } else { directory })?
                .sync_all()?;
        }
        self.file = Some(file);
        self.length = length;
        self.unsynced = false;
        Ok(())
    }

    /// Appends one record; it is on disk for good after the next [`Journal::sync`].
    ///
    /// # Errors
    ///
    /// When there is no content yet ([`Journal::rewrite`] comes first) or the disk does not take the record.
    pub(crate) fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the journal has no content to append to"));
        };
        let mut framed = Vec::with_capacity(record.len() + 8);
        write_record(&mut framed, record)?;
        if let Err(error) = file.write_all(&framed) {
            // Half a record would hide every later one from the next reader.
            file.set_len(self.length)?;
            file.seek(SeekFrom::End(0))?;
            return Err(error);
        }
        self.length += framed.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    /// Forces appended records to disk; does nothing when there are none.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let (true, Some(file)) = (self.unsynced, &self.file) {
            file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Length of the file, bytes.
    #[must_use]
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

fn write_record(writer: &mut impl Write, record: &[u8]) -> io::Result<u64> {
    let length = u32::try_from(record.len()).ok().filter(|_| record.len() <= MAX_RECORD);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a record is too long"))?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(&crc32fast::hash(record).to_le_bytes())?;
    writer.write_all(record)?;
    Ok(u64::from(length) + 8)
}

/// Returns where the last whole record ends; 0 when not even the magic is there.
fn read_records(reader: &mut impl Read, on_record: &mut impl FnMut(&[u8])) -> io::Result<u64> {
    let mut magic = [0; 8];
    if !read_whole(reader, &mut magic)? || magic != *MAGIC {
        return Ok(0);
    }
    let mut whole = MAGIC.len() as u64;
    let mut record = Vec::new();
    loop {
        let (mut length, mut checksum) = ([0; 4], [0; 4]);
        if !read_whole(reader, &mut length)? || !read_whole(reader, &mut checksum)? {
            return Ok(whole);
        }
        let length = u32::from_le_bytes(length);
        if length as usize > MAX_RECORD {
            return Ok(whole);
        }
        record.resize(length as usize, 0);
        if !read_whole(reader, &mut record)? || crc32fast::hash(&record) != u32::from_le_bytes(checksum) {
            return Ok(whole);
        }
        on_record(&record);
        whole += u64::from(length) + 8;
    }
}

/// `false` when the file ends before the buffer is full.
fn read_whole(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(path: &Path) -> (Journal, Vec<Vec<u8>>) {
        let mut seen = Vec::new();
        let journal = Journal::open(path, |record| seen.push(record.to_vec())).unwrap();
        (journal, seen)
    }

    fn filled(path: &Path) {
        let (mut journal, _) = records(path);
        journal.rewrite([b"one".to_vec(), b"two".to_vec()].into_iter()).unwrap();
        journal.append(b"three").unwrap();
        journal.sync().unwrap();
    }

    #[test]
    fn reads_back_what_was_written_and_appended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/journal");
        filled(&path);
        let (mut journal, seen) = records(&path);
        assert_eq!(seen, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
        journal.append(b"four").unwrap();
        assert_eq!(records(&path).1.len(), 4);
    }

    #[test]
    fn a_torn_tail_costs_only_the_last_record_and_can_be_appended_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        filled(&path);
        let whole = fs::read(&path).unwrap();
        for cut in whole.len() - 12..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (mut journal, seen) = records(&path);
            assert_eq!(seen.len(), 2, "cut at {cut}");
            journal.append(b"again").unwrap();
            assert_eq!(records(&path).1.last().unwrap(), b"again");
        }
    }

    #[test]
    fn a_flipped_bit_hides_the_record_and_what_follows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        filled(&path);
        let whole = fs::read(&path).unwrap();
        for at in MAGIC.len()..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&path, &damaged).unwrap();
            let (_, seen) = records(&path);
            assert!(seen.len() < 3, "byte {at}");
            assert!([b"one".to_vec(), b"two".to_vec(), b"three".to_vec()].starts_with(&seen), "byte {at}");
        }
    }

    #[test]
    fn a_file_of_something_else_is_no_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        fs::write(&path, b"hello").unwrap();
        let (mut journal, seen) = records(&path);
        assert!(seen.is_empty());
        assert!(journal.append(b"lost").is_err());
    }
}
