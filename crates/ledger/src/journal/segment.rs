//! Segment files: their names, their header, how they are made and read. A segment is preallocated, so a full disk is
//! met when one is made and never when a record is written; unwritten space reads as zeros.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::{Parsed, RECORD_BYTES_MAX, parse};

/// Bytes before the first record: magic, sequence number, checksum of both, padding.
pub(super) const HEADER_BYTES: u64 = 32;

const MAGIC: [u8; 8] = *b"TLJRNL01";
const SUFFIX: &str = ".journal";
const READ_BYTES: usize = 64 * 1024;

/// A place in the journal: between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Sequence number of the segment.
    pub(super) segment: u64,
    /// Bytes from the segment's start.
    pub(super) offset: u64,
}

fn path(directory: &Path, sequence: u64) -> PathBuf {
    directory.join(format!("{sequence:016x}{SUFFIX}"))
}

/// The sequence numbers of the segments there are, ascending.
pub(super) fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut sequences = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let sequence = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        sequences.extend(sequence.and_then(|digits| u64::from_str_radix(digits, 16).ok()));
    }
    sequences.sort_unstable();
    Ok(sequences)
}

/// Deletes a segment.
pub(super) fn remove(directory: &Path, sequence: u64) -> io::Result<()> {
    std::fs::remove_file(path(directory, sequence))
}

/// How many bytes a segment takes.
pub(super) fn size(directory: &Path, sequence: u64) -> io::Result<u64> {
    std::fs::metadata(path(directory, sequence)).map(|metadata| metadata.len())
}

/// A segment that can be written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) sequence: u64,
    /// Where the next record goes.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    file: File,
}

impl Segment {
    /// Makes a segment with all its space allocated.
    pub(super) fn create(directory: &Path, sequence: u64, bytes: u64) -> io::Result<Self> {
        let path = path(directory, sequence);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let made = allocate(&file, bytes).and_then(|()| file.write_all_at(&header(sequence), 0));
        if let Err(error) = made {
            drop(file);
            std::fs::remove_file(&path)?;
            return Err(error);
        }
        Ok(Self { sequence, offset: HEADER_BYTES, bytes, file })
    }

    /// Writes whole records behind the last ones. After an error the same bytes may be written again.
    pub(super) fn append(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all_at(records, self.offset)?;
        self.offset += records.len() as u64;
        Ok(())
    }

    /// Waits until what was written is on the device.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn position(&self) -> Position {
        Position { segment: self.sequence, offset: self.offset }
    }

    /// The same segment on a handle that cannot write.
    #[cfg(all(test, not(loom)))]
    pub(super) fn unwritable(&self, directory: &Path) -> io::Result<Self> {
        let file = File::open(path(directory, self.sequence))?;
        Ok(Self { file, ..*self })
    }
}

fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => write_zeros(file, bytes),
        outcome => outcome.map_err(io::Error::from),
    }
}

/// For file systems that cannot preallocate.
fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0_u8; READ_BYTES];
    let mut at = 0;
    while at < bytes {
        let rest = usize::try_from(bytes - at).unwrap_or(READ_BYTES).min(READ_BYTES);
        file.write_all_at(zeros.get(..rest).unwrap_or_default(), at)?;
        at += rest as u64;
    }
    Ok(())
}

fn header(sequence: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend(sequence.to_le_bytes());
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header.resize(usize::try_from(HEADER_BYTES).unwrap_or(32), 0);
    header
}

/// What a reader met.
#[derive(Debug)]
pub(super) enum Step {
    /// A record, or space between records.
    Parsed(Parsed),
    /// The limit, or the end of the file.
    End,
}

/// Reads a segment record by record, in bounded memory.
#[derive(Debug)]
pub(super) struct SegmentReader {
    pub(super) sequence: u64,
    /// Where the next record starts.
    pub(super) offset: u64,
    file: File,
    window: Vec<u8>,
    window_at: u64,
}

impl SegmentReader {
    /// Opens a segment. `None` where its header was never written, because the process died while making it; an error
    /// where there is another header, for what is not ours is not to be deleted.
    pub(super) fn open(directory: &Path, sequence: u64) -> io::Result<Option<Self>> {
        let file = File::open(path(directory, sequence))?;
        let mut reader = Self { sequence, offset: 0, file, window: Vec::new(), window_at: 0 };
        let expected = header(sequence);
        let head = reader.view(0, HEADER_BYTES)?;
        if head.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if head != expected {
            let message = format!("segment {sequence:016x} was not written by this version");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        reader.offset = HEADER_BYTES;
        reader.window.clear();
        Ok(Some(reader))
    }

    pub(super) fn position(&self) -> Position {
        Position { segment: self.sequence, offset: self.offset }
    }

    /// The next record that ends at or before `limit`.
    pub(super) fn next(&mut self, limit: u64) -> io::Result<Step> {
        let offset = self.offset;
        let bytes = self.view(offset, limit)?;
        if bytes.is_empty() {
            return Ok(Step::End);
        }
        let parsed = parse(bytes);
        if let Parsed::Record(_, length) | Parsed::Unknown(length) = parsed {
            self.offset += length as u64;
        }
        Ok(Step::Parsed(parsed))
    }

    /// Bytes from the reader's place to the last one that is not zero: what a torn record left behind.
    pub(super) fn torn_bytes(&mut self) -> io::Result<u64> {
        let (mut at, mut last) = (self.offset, self.offset);
        loop {
            self.window.clear();
            let bytes = self.view(at, u64::MAX)?;
            if bytes.is_empty() {
                return Ok(last - self.offset);
            }
            if let Some(index) = bytes.iter().rposition(|byte| *byte != 0) {
                last = at + index as u64 + 1;
            }
            at += bytes.len() as u64;
        }
    }

    /// What is known from `at` on, at least one largest record unless the file or `limit` ends before.
    fn view(&mut self, at: u64, limit: u64) -> io::Result<&[u8]> {
        let known_to = self.window_at + self.window.len() as u64;
        let needed_to = at.saturating_add(RECORD_BYTES_MAX as u64).min(limit);
        if at < self.window_at || needed_to > known_to {
            self.fill(at, limit)?;
        }
        let from = usize::try_from(at - self.window_at).unwrap_or(usize::MAX);
        let known = self.window.get(from..).unwrap_or_default();
        let allowed = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
        Ok(known.get(..allowed.min(known.len())).unwrap_or_default())
    }

    fn fill(&mut self, at: u64, limit: u64) -> io::Result<()> {
        let wanted = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX).min(READ_BYTES);
        self.window.resize(wanted, 0);
        self.window_at = at;
        let mut filled = 0;
        while let Some(free) = self.window.get_mut(filled..).filter(|free| !free.is_empty()) {
            match self.file.read_at(free, at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.window.truncate(filled);
        Ok(())
    }
}
