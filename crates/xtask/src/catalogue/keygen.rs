//! `xtask catalogue keygen`: a key pair that may sign catalogues.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use trunkline_catalogue::update::public_key;

use super::Problem;

pub(super) fn run(out: &Path) -> Result<String, Problem> {
    let refused = |_| Problem::Other("the system's random numbers are not available".to_owned());
    let private = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(refused)?;
    let pair =
        Ed25519KeyPair::from_pkcs8(private.as_ref()).map_err(|error| Problem::Other(error.to_string()))?;
    let public = public_key(&pair).ok_or_else(|| Problem::Other("not an Ed25519 key".to_owned()))?;
    let file_problem = |error| Problem::File { path: out.to_owned(), error };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(file_problem)?;
    file.write_all(private.as_ref()).map_err(file_problem)?;
    Ok(format!("public key {public} (id {})", public.id()))
}
