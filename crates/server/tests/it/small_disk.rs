//! A small disk, which is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Large enough for the files of the gateway and some segments of its journal.
const DISK_MIB: u32 = 64;

/// A small disk where the gateway's data will be.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where none may be mounted.
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let size = format!("size={DISK_MIB}m,mode=700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    pub(crate) fn fill(&self) {
        std::fs::write(self.0.join("ballast"), vec![1_u8; (DISK_MIB as usize) << 20]).unwrap_err();
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}
