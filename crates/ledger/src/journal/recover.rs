//! Reading a journal: whose it is, how far it has been drained, and what its records say together.
//!
//! What it is not: writing (see [`super::writer`]). Where to look first: [`scan`].

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use trunkline_domain::id::AttemptId;
use trunkline_domain::ledger::{AttemptEntry, AttemptOpening, Settlement};

use super::JournalError;
use super::record::{Parsed, Record, unknown_end};
use super::segment::{self, Position, SegmentReader, Step};
use crate::api::LedgerRecord;

const LOCK_FILE: &str = "lock";
const POSITION_FILE: &str = "drained";
/// A reader holds the lock for an instant only to see whether a gateway has it.
const LOCK_TRIES: u32 = 10;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(10);

/// What a journal held when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// What the store does not have yet, in the order of writing; at the end the attempts that were opened but never
    /// settled, as [`EntryState::Interrupted`](trunkline_domain::ledger::EntryState::Interrupted) rows. The drainer
    /// brings all of them to the store; they count in budgets from now on. At most the journal's cap in size.
    pub records: Vec<LedgerRecord>,
    /// Bytes of records that were not whole: written in the instant of the crash and acknowledged to nobody.
    pub dropped_bytes: u64,
}

/// What the store does not have yet, read beside a running gateway or without one. Attempts under way are left out as
/// long as a gateway runs; without one they are interrupted, and are included as such. A record that is drained while
/// this reads may appear here and in the store: both know it by the same id.
pub fn read_undrained(directory: &Path) -> Result<Vec<LedgerRecord>, JournalError> {
    if !directory.join(LOCK_FILE).try_exists().map_err(|error| JournalError::io(directory, error))? {
        return Ok(Vec::new());
    }
    let running = is_locked(directory).map_err(|error| JournalError::io(directory, error))?;
    let scanned = read_position(directory).and_then(|drained| scan(directory, drained));
    let mut scanned = scanned.map_err(|error| JournalError::io(directory, error))?;
    if !running {
        let interrupted = scanned.joiner.interrupted().into_iter();
        scanned.records.extend(interrupted.map(|entry| LedgerRecord::Attempt(Box::new(entry))));
    }
    Ok(scanned.records)
}

/// A journal whose process has ended, with what it left: for the process that goes on in another one. What it holds is
/// brought to the store first and deleted then; killed in between, it is found again, with the same rows.
#[derive(Debug)]
pub struct Orphan {
    directory: PathBuf,
    /// What the store does not have yet.
    pub recovered: Recovered,
    _lock: File,
}

impl Orphan {
    /// Opens it. `None` where a process writes there, or where there is none any more.
    pub fn open(directory: &Path) -> Result<Option<Self>, JournalError> {
        let failed = |error| JournalError::io(directory, error);
        if !directory.join(LOCK_FILE).try_exists().map_err(failed)? {
            return Ok(None);
        }
        let lock = match lock(directory) {
            Ok(lock) => lock,
            Err(JournalError::InUse(_)) => return Ok(None),
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let scanned = read_position(directory).and_then(|drained| scan(directory, drained));
        let mut scanned = scanned.map_err(failed)?;
        let mut records = scanned.records;
        let interrupted = scanned.joiner.interrupted().into_iter();
        records.extend(interrupted.map(|entry| LedgerRecord::Attempt(Box::new(entry))));
        let recovered = Recovered { records, dropped_bytes: scanned.dropped_bytes };
        Ok(Some(Self { directory: directory.to_owned(), recovered, _lock: lock }))
    }

    /// Deletes the journal: the store has everything. Records that were set aside stay, and with them the directory.
    pub fn delete(self) -> io::Result<()> {
        for sequence in segment::list(&self.directory)? {
            segment::remove(&self.directory, sequence)?;
        }
        for file in [POSITION_FILE, LOCK_FILE] {
            match std::fs::remove_file(self.directory.join(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match std::fs::remove_dir(&self.directory) {
            // Something is left there, or somebody has begun there.
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
            _ => Ok(()),
        }
    }
}

/// What a journal that another process writes can still come to: every attempt that is under way there at its whole
/// hold, as a row of state interrupted, and what the store does not have yet.
pub fn read_outstanding(directory: &Path) -> Result<Vec<LedgerRecord>, JournalError> {
    let scanned = read_position(directory).and_then(|drained| scan(directory, drained));
    let mut scanned = scanned.map_err(|error| JournalError::io(directory, error))?;
    let interrupted = scanned.joiner.interrupted().into_iter();
    scanned.records.extend(interrupted.map(|entry| LedgerRecord::Attempt(Box::new(entry))));
    Ok(scanned.records)
}

fn is_locked(directory: &Path) -> io::Result<bool> {
    match File::open(directory.join(LOCK_FILE))?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the directory for this process; the lock lives as long as the file.
pub(super) fn lock(directory: &Path) -> Result<File, JournalError> {
    let path = directory.join(LOCK_FILE);
    let failed = |error| JournalError::io(directory, error);
    for _ in 0..LOCK_TRIES {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if is_still(&file, &path).map_err(failed)? => return Ok(file),
            // Whoever had it has deleted it: the lock of a file that is gone keeps nobody out.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_TRY_EVERY),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(JournalError::InUse(directory.to_owned()))
}

/// Makes the directory where it is missing, and takes it. Whoever looked after a process that has ended may delete it in
/// between.
pub(super) fn lock_made(directory: &Path) -> Result<File, JournalError> {
    let mut tries = 0;
    loop {
        std::fs::create_dir_all(directory).map_err(|error| JournalError::io(directory, error))?;
        tries += 1;
        match lock(directory) {
            Err(error) if error.is_missing() && tries < LOCK_TRIES => {}
            outcome => return outcome,
        }
    }
}

/// Whether a path still leads to a file that was opened there.
fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// How far the store has the journal. Unreadable means from the start: draining twice changes nothing.
pub(super) fn read_position(directory: &Path) -> io::Result<Position> {
    let bytes = match std::fs::read(directory.join(POSITION_FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Position::default()),
        Err(error) => return Err(error),
    };
    Ok(decode_position(&bytes).unwrap_or_default())
}

fn decode_position(bytes: &[u8]) -> Option<Position> {
    let (position, checksum) = bytes.split_first_chunk::<16>()?;
    let [segment @ .., _, _, _, _, _, _, _, _] = *position;
    let offset = position.last_chunk::<8>()?;
    let checksum = u32::from_le_bytes(*checksum.first_chunk::<4>()?);
    (checksum == crc32fast::hash(position))
        .then(|| Position { segment: u64::from_le_bytes(segment), offset: u64::from_le_bytes(*offset) })
}

/// The file that remembers how far the store has the journal.
#[derive(Debug)]
pub(super) struct PositionFile(File);

impl PositionFile {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(POSITION_FILE);
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map(Self)
    }

    /// One write of twenty bytes: killed before or after, never in between.
    pub(super) fn store(&self, position: Position) -> io::Result<()> {
        let mut bytes = position.segment.to_le_bytes().to_vec();
        bytes.extend(position.offset.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        self.0.write_all_at(&bytes, 0)
    }
}

/// Puts what was known before an attempt and what is known after together to a row.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    open: HashMap<AttemptId, Box<AttemptOpening>>,
}

impl Joiner {
    /// The ledger record that `record`, read at `at`, completes, if it completes one.
    pub(super) fn join(&mut self, record: Record, at: Position, drained: Position) -> Option<LedgerRecord> {
        match record {
            Record::Opened(opening) => {
                self.open.insert(opening.id, opening);
                None
            }
            Record::Settled(id, settlement) => {
                let Some(opening) = self.open.remove(&id) else {
                    // Behind `drained` the segment with the opening may have been deleted already.
                    if at >= drained {
                        tracing::error!(attempt = %id, "a settled record has no opened record before it");
                    }
                    return None;
                };
                let entry = AttemptEntry { opening: *opening, settlement: *settlement };
                Some(LedgerRecord::Attempt(Box::new(entry)))
            }
            Record::Request(record) => Some(LedgerRecord::Request(record)),
        }
    }

    /// What was opened and not settled, as rows, in the order of ids.
    pub(super) fn interrupted(&mut self) -> Vec<AttemptEntry> {
        let mut entries: Vec<_> = self
            .open
            .drain()
            .map(|(_, opening)| {
                let settlement = unknown_end(Settlement::interrupted(opening.bound), None, 0);
                AttemptEntry { opening: *opening, settlement }
            })
            .collect();
        entries.sort_unstable_by_key(|entry| entry.opening.id);
        entries
    }
}

/// What a whole journal says.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// Complete and not drained.
    pub(super) records: Vec<LedgerRecord>,
    /// Opened and not settled.
    pub(super) joiner: Joiner,
    /// Bytes of records behind the drained position.
    pub(super) undrained_bytes: u64,
    /// Bytes of records that were not whole.
    pub(super) dropped_bytes: u64,
    /// Segments that hold records, ascending.
    pub(super) used: Vec<u64>,
    /// Segments that hold none.
    pub(super) empty: Vec<u64>,
}

/// Reads all segments there are. Records before `drained` only say what was opened.
pub(super) fn scan(directory: &Path, drained: Position) -> io::Result<Scanned> {
    let mut scanned = Scanned::default();
    for sequence in segment::list(directory)? {
        let reader = match SegmentReader::open(directory, sequence) {
            Ok(reader) => reader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match reader {
            Some(reader) => scan_segment(reader, drained, &mut scanned)?,
            None => scanned.empty.push(sequence),
        }
    }
    Ok(scanned)
}

fn scan_segment(mut reader: SegmentReader, drained: Position, scanned: &mut Scanned) -> io::Result<()> {
    loop {
        let at = reader.position();
        let record = match reader.next(u64::MAX)? {
            Step::Parsed(Parsed::Record(record, _)) => Some(record),
            Step::Parsed(Parsed::Unknown(_)) => {
                tracing::error!(
                    segment = at.segment,
                    offset = at.offset,
                    "a journal record is of an unknown kind"
                );
                None
            }
            Step::Parsed(Parsed::Torn) => {
                scanned.dropped_bytes += reader.torn_bytes()?;
                break;
            }
            Step::Parsed(Parsed::Empty) | Step::End => break,
        };
        let complete = record.and_then(|record| scanned.joiner.join(record, at, drained));
        if at >= drained {
            scanned.undrained_bytes += reader.offset - at.offset;
            scanned.records.extend(complete);
        }
    }
    let used = reader.offset > segment::HEADER_BYTES;
    if used {
        scanned.used.push(reader.sequence);
    } else {
        scanned.empty.push(reader.sequence);
    }
    Ok(())
}
