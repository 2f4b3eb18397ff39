//! The key of the ids under which callers know what providers keep: 32 random bytes in the data directory, made at the first
//! start, readable by the owner only. Whoever loses it loses those ids, and nothing else.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use trunkline_domain::Secret;
use trunkline_engine::kept::ids::KEY_BYTES;

use super::StartError;

/// The file in the data directory.
const FILE: &str = "state.key";

/// The key; a new one where there is none.
pub(super) fn of(data_dir: &Path) -> Result<Secret<[u8; KEY_BYTES]>, StartError> {
    let path = data_dir.join(FILE);
    read_or_make(&path).map_err(|error| {
        StartError::Other(format!(
            "the key in {} cannot be used ({error}): make the file readable, or remove it and with it every id of a \
             response handed out so far",
            path.display()
        ))
    })
}

fn read_or_make(path: &Path) -> std::io::Result<Secret<[u8; KEY_BYTES]>> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let bytes = <[u8; KEY_BYTES]>::try_from(bytes).map_err(|bytes| {
                std::io::Error::other(format!("it has {} bytes, not {KEY_BYTES}", bytes.len()))
            })?;
            Ok(Secret::new(bytes))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        Err(error) => Err(error),
    }
}

/// Written beside and moved, so that a process that dies leaves no half of it.
fn make(path: &Path) -> std::io::Result<Secret<[u8; KEY_BYTES]>> {
    let key = Secret::new(rand::random::<[u8; KEY_BYTES]>());
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(key.expose())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let key = of(directory.path()).unwrap();
        assert!(of(directory.path()).unwrap() == key);
        let path = directory.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(of(tempfile::tempdir().unwrap().path()).unwrap() != key);
        std::fs::write(&path, b"short").unwrap();
        assert!(of(directory.path()).is_err());
    }
}
