//! Loading: a file and its surroundings in, everything a snapshot needs or every reason why not out.
//!
//! Not the watching of the file, and not the swap. Look first at [`load`].

use std::path::Path;

use super::check::{KnownModels, check};
use super::discover::{ReadyAccount, from_environment, from_file};
use super::file::ConfigFile;
use super::problem::Problem;
use super::secrets::Environment;

/// The largest configuration file read, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 4 << 20;

/// A configuration ready to be built into a snapshot.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file says; all defaults without a file.
    pub config: ConfigFile,
    /// The accounts, secrets at hand.
    pub accounts: Vec<ReadyAccount>,
    /// What somebody should look at.
    pub warnings: Vec<Problem>,
}

/// Loads a configuration file and the secrets it names.
///
/// Fails with all problems of the file; with those of its secrets only once the file itself has none.
pub fn load(
    path: &Path,
    environment: &dyn Environment,
    models: &dyn KnownModels,
) -> Result<Loaded, Vec<Problem>> {
    let text = read(path, environment).map_err(|problem| vec![problem])?;
    let checked = check(&text, models);
    let Some(config) = checked.config else { return Err(checked.problems) };
    let accounts = from_file(&config, environment)?;
    Ok(Loaded { config, accounts, warnings: checked.problems })
}

/// The configuration of a machine without a file.
pub fn load_without_file(environment: &dyn Environment) -> Loaded {
    Loaded { config: ConfigFile::default(), accounts: from_environment(environment), warnings: Vec::new() }
}

fn read(path: &Path, environment: &dyn Environment) -> Result<String, Problem> {
    let bytes = environment.read_file(path, CONFIG_BYTES_MAX).map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::NotFound {
            "`trunkline init` writes one"
        } else {
            "the gateway's user must be able to read it"
        };
        Problem::of_file(format!("cannot be read: {error}"), hint)
    })?;
    String::from_utf8(bytes).map_err(|_| Problem::of_file("is not UTF-8 text", "save it as UTF-8"))
}
