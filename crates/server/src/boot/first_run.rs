//! The first start: a virtual key and an admin token, so that something can be asked at once.
//!
//! Secrets are shown once. A terminal shows them; otherwise they go to a file only the owner can read, whose path the
//! log names. What is there already is not made again.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::termios::isatty;
use trunkline_domain::id::OrganisationId;
use trunkline_domain::{Secret, TenantScope};
use trunkline_engine::Engine;
use trunkline_engine::authenticate::hash;
use trunkline_engine::mint::{self, ADMIN_PREFIX, KeySpec};
use trunkline_ledger::api::{AdminTokenStore as _, KeyStore as _, StoreError};
use trunkline_store::Store;

use super::StartError;

/// Where secrets go that no terminal can show.
pub(super) const FILE: &str = "first-run.txt";
/// What the first key and token are called.
const NAME: &str = "first";

/// What a first start has to say.
pub(super) enum FirstRun {
    /// There was everything already.
    No,
    /// To a terminal.
    Shown(Fresh),
    /// To a file.
    Written(PathBuf),
}

/// What was made: what was not there.
#[derive(Clone)]
pub(super) struct Fresh {
    pub(super) key: Option<Secret<String>>,
    pub(super) admin_token: Option<Secret<String>>,
}

/// Makes the first key and the first admin token, each where there is none yet: keys may have been made while no
/// gateway ran.
pub(super) async fn prepare(
    engine: &Engine,
    store: &Arc<Store>,
    data_dir: &Path,
) -> Result<FirstRun, StartError> {
    let failed = |error: StoreError| StartError::Other(format!("the first key cannot be stored: {error}"));
    let scope = TenantScope::Installation;
    let needs_key = store.page(scope, None, 1).await.map_err(failed)?.is_empty();
    let needs_token = store.token_count(scope).await.map_err(failed)? == 0;
    if !needs_key && !needs_token {
        return Ok(FirstRun::No);
    }
    let now = engine.core().clock.now();
    let spec = KeySpec { name: NAME.to_owned(), ..KeySpec::default() };
    let minted = needs_key.then(|| mint::key(spec, OrganisationId::FIRST, now));
    let fresh = Fresh {
        key: minted.as_ref().map(|(_, secret)| secret.clone()),
        admin_token: needs_token.then(|| mint::secret(ADMIN_PREFIX)),
    };
    // Written before it is stored: a key nobody was told of would be worse than a file about a key that is not there.
    let first = if isatty(std::io::stdout()) {
        FirstRun::Shown(fresh.clone())
    } else {
        let path = data_dir.join(FILE);
        write(&path, &fresh).map_err(|error| {
            StartError::Other(format!("the first key cannot be written to {}: {error}", path.display()))
        })?;
        FirstRun::Written(path)
    };
    if let Some(token) = &fresh.admin_token {
        store.insert_token(scope, NAME, hash(token.expose()), now).await.map_err(failed)?;
    }
    if let Some((key, _)) = minted {
        engine.keys().create(key).await.map_err(failed)?;
    }
    Ok(first)
}

/// A file of this name describes keys that were never stored: it is replaced, never followed or added to.
fn write(path: &Path, fresh: &Fresh) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    if let Some(key) = &fresh.key {
        writeln!(file, "key: {}", key.expose())?;
    }
    if let Some(token) = &fresh.admin_token {
        writeln!(file, "admin token: {}", token.expose())?;
    }
    file.sync_all()
}
