//! Every fixture put to every target, whole and damaged in a few ways: what a machine without a fuzzer can know.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail loudly, like the tests"
)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use trunkline_fuzz::TARGETS;

fn fixtures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fixtures(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json" || extension == "sse") {
            found.push(path);
        }
    }
}

/// The bytes, cut off in eight places, and with one byte changed in eight.
fn damaged(data: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let places: Vec<usize> = (1..9).map(|eighth| data.len() * eighth / 9).collect();
    let cut = places.clone().into_iter().map(|place| data[..place].to_vec());
    let changed = places.into_iter().enumerate().map(|(number, place)| {
        let mut bytes = data.to_vec();
        bytes[place] = b"\"}]0,\n\\\x80"[number];
        bytes
    });
    cut.chain(changed)
}

#[test]
fn no_fixture_breaks_a_promise() {
    let mut found = Vec::new();
    fixtures(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures"), &mut found);
    assert!(found.len() > 100, "only {} fixtures", found.len());
    for path in found {
        let data = std::fs::read(&path).unwrap();
        for (name, target) in TARGETS {
            for bytes in std::iter::once(data.clone()).chain(damaged(&data)) {
                let shown = bytes.escape_ascii().to_string();
                assert!(catch_unwind(|| target(&bytes)).is_ok(), "{name} of {}: {shown}", path.display());
            }
        }
    }
}
