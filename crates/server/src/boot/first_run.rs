//! The first start: a virtual key and an admin token, so that something can be asked at once.
//!
//! Secrets are shown once. A terminal shows them; otherwise they go to a file only the owner can read, whose path the
//! log names. Nothing here runs again once there is a key.

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
    /// There were keys already.
    No,
    /// To a terminal.
    Shown { key: Secret<String>, admin_token: Option<Secret<String>> },
    /// To a file.
    Written(PathBuf),
}

/// Makes the first key and the first admin token where there is no key yet.
pub(super) async fn prepare(
    engine: &Engine,
    store: &Arc<Store>,
    data_dir: &Path,
) -> Result<FirstRun, StartError> {
    let failed = |error: StoreError| StartError::Other(format!("the first key cannot be stored: {error}"));
    let scope = TenantScope::Installation;
    if !store.page(scope, None, 1).await.map_err(failed)?.is_empty() {
        return Ok(FirstRun::No);
    }
    let now = engine.core().clock.now();
    let spec = KeySpec { name: NAME.to_owned(), ..KeySpec::default() };
    let (key, secret) = mint::key(spec, OrganisationId::FIRST, now);
    let token = mint::secret(ADMIN_PREFIX);
    let needs_token = store.token_count(scope).await.map_err(failed)? == 0;
    let admin_token = needs_token.then_some(token);
    // Written before it is stored: a key nobody was told of would be worse than a file about a key that is not there.
    let first = if isatty(std::io::stdout()) {
        FirstRun::Shown { key: secret, admin_token: admin_token.clone() }
    } else {
        let path = data_dir.join(FILE);
        write(&path, &secret, admin_token.as_ref()).map_err(|error| {
            StartError::Other(format!("the first key cannot be written to {}: {error}", path.display()))
        })?;
        FirstRun::Written(path)
    };
    if let Some(token) = &admin_token {
        store.insert_token(scope, NAME, hash(token.expose()), now).await.map_err(failed)?;
    }
    engine.keys().create(key).await.map_err(failed)?;
    Ok(first)
}

/// A file of this name describes keys that were never stored: it is replaced, never followed or added to.
fn write(path: &Path, key: &Secret<String>, admin_token: Option<&Secret<String>>) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "key: {}", key.expose())?;
    if let Some(token) = admin_token {
        writeln!(file, "admin token: {}", token.expose())?;
    }
    file.sync_all()
}
