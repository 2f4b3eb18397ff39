//! Doubles of what fails beneath the gateway: somebody who locks its store's files and stands still, a small disk, a clock
//! that jumps.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Process;

/// What holds the locks.
const LOCKER: &str = "import sqlite3, sys
held = [sqlite3.connect(file, isolation_level=None) for file in sys.argv[1:]]
for file in held: file.execute('BEGIN EXCLUSIVE')
print('held', flush=True)
sys.stdin.read()";

/// Another process that has locked files of the store and was stopped (SIGSTOP) while it holds the locks: a store that
/// neither answers nor fails. SQLite has no process of its own that could be stopped.
pub(super) struct Frozen {
    /// Killed when dropped, which gives the locks back.
    _process: Process,
}

impl Frozen {
    pub(super) fn hold(files: &[PathBuf]) -> Self {
        let mut command = Command::new("python3");
        command.arg("-c").arg(LOCKER).args(files).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process(command.spawn().expect("python3, which locks the store's files"));
        let mut said = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        kill_process(Pid::from_child(&process.0), Signal::STOP).unwrap();
        Self { _process: process }
    }
}

/// The wall clock of a process, which can be made to jump. Its monotonic clock goes on: so it is where somebody sets the
/// clock of a machine.
pub(super) struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// None where libfaketime is not installed (Debian's package of that name).
    pub(super) fn new(directory: &Path) -> Option<Self> {
        let places = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let mut libraries = places.map(|place| place.join("faketime/libfaketimeMT.so.1"));
        let library = libraries.find(|library| library.exists())?;
        let clock = Self { library, file: directory.join("clock") };
        clock.set_hours_ahead(0);
        Some(clock)
    }

    /// Has a process live by it.
    pub(super) fn rule(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }

    pub(super) fn set_hours_ahead(&self, hours: u32) {
        // Replaced, so that no half of it is ever read.
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, format!("+{}", 3_600 * hours)).unwrap();
        std::fs::rename(draft, &self.file).unwrap();
    }
}
