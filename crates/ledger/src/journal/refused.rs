//! Records that the store refuses for their own sake, kept in a file beside the journal: one line of JSON each, with what
//! the store said. They are not in the ledger, so somebody has to look at them; nothing here deletes any.
//!
//! Where to look first: [`Refused::keep`].

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use trunkline_domain::ledger::{AttemptEntry, Correction, RequestRecord};

use crate::api::LedgerRecord;

/// The file's name in the journal's directory.
pub(super) const FILE: &str = "refused.jsonl";

/// The most the file may take. Beyond it a refused record stays in the journal, and holds up those behind it.
const BYTES_MAX: u64 = 64 << 20;

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    error: &'a str,
    #[serde(flatten)]
    record: Kept<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Kept<'a> {
    Attempt(&'a AttemptEntry),
    Request(&'a RequestRecord),
    Correction(&'a Correction),
}

/// The file of refused records.
#[derive(Clone, Debug)]
pub(super) struct Refused(PathBuf);

impl Refused {
    pub(super) fn of(directory: &Path) -> Self {
        Self(directory.join(FILE))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// How many records are in the file.
    pub(super) fn count(&self) -> io::Result<u64> {
        match File::open(&self.0) {
            Ok(file) => BufReader::new(file).split(b'\n').try_fold(0, |count, line| line.map(|_| count + 1)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Adds a record; when this returns, it is on the device.
    pub(super) fn keep(&self, record: &LedgerRecord, error: &str) -> io::Result<()> {
        let record = match record {
            LedgerRecord::Attempt(entry) => Kept::Attempt(entry),
            LedgerRecord::Request(record) => Kept::Request(record),
            LedgerRecord::Correction(correction) => Kept::Correction(correction),
        };
        let mut line = serde_json::to_vec(&Line { error, record })?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        if file.metadata()?.len() + line.len() as u64 > BYTES_MAX {
            return Err(io::Error::other(format!("it would be longer than {BYTES_MAX} bytes")));
        }
        file.write_all(&line)?;
        file.sync_data()
    }
}
