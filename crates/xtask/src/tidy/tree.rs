//! The files of the project as the rules see them: a path from the root, and text. What Git ignores is left out, and so
//! is what is no text. Where to look first: [`Tree::read`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Folders that are made, not written.
const MADE: [&str; 8] =
    [".git", "target", "dist", "node_modules", "trunkline-data", "__pycache__", ".pytest_cache", "crashes"];

/// A file larger than this is data.
const TEXT_BYTES_MAX: u64 = 2 << 20;

/// The text of every file, by its path from the root with `/`.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads the folder `root`.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && !MADE.contains(&&*name) {
                self.read_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file()
                && entry.metadata()?.len() <= TEXT_BYTES_MAX
                && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
            {
                self.0.insert(path, text);
            }
        }
        Ok(())
    }

    /// Every file, by path.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (&**path, &**text))
    }

    /// Every file of Rust source, by path.
    pub(super) fn rust_files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| extension(path) == "rs")
    }
}

/// What follows the last dot of a file's name; empty where there is none.
pub(super) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect())
    }
}
