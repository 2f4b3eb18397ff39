//! `xtask catalogue sign`: a catalogue becomes a bundle that a gateway accepts.

use std::path::Path;

use ring::signature::Ed25519KeyPair;
use trunkline_catalogue::update::{public_key, sign, verify};

use super::{Problem, read, write};

pub(super) fn run(key: &Path, catalogue: &Path, out: &Path) -> Result<String, Problem> {
    let pair = Ed25519KeyPair::from_pkcs8(&read(key)?)
        .map_err(|error| Problem::Other(format!("{}: {error}", key.display())))?;
    let bundle = sign(&read(catalogue)?, &pair)?;
    let public = public_key(&pair).ok_or_else(|| Problem::Other("not an Ed25519 key".to_owned()))?;
    let verified = verify(&bundle, &[public])?;
    write(out, &bundle)?;
    Ok(format!("catalogue {} signed with key {}", verified.version(), public.id()))
}
