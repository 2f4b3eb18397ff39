//! The configuration a gateway starts with: the file, the flags over it, and the catalogue it is checked against.
//!
//! The catalogue in use lies in the store, the store lies where the configuration says, and the configuration is checked
//! against the catalogue. So it is read once without asking about models, to find the store, and once with the
//! catalogue found there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trunkline_catalogue::Catalogue;
use trunkline_engine::config::file::ConfigFile;
use trunkline_engine::config::server::Server;
use trunkline_engine::config::{AnyModel, Loaded, ProcessEnvironment, load};

use super::storage::Storage;
use super::{ServeOptions, StartError, log};
use crate::admin::catalogue::{InUse, in_use};
use crate::reload::{self, Stamp};

/// Read where no file is named, if it is there.
pub(crate) const USUAL_FILE: &str = "trunkline.toml";

/// The configuration before its models' names are looked up.
pub(super) struct FirstLook {
    options: ServeOptions,
    path: Option<PathBuf>,
    /// Flags included.
    pub(super) settings: ConfigFile,
}

/// What a gateway starts with.
pub(super) struct Configuration {
    pub(super) path: Option<PathBuf>,
    /// The file's version just before it was read, so that no change goes unseen.
    pub(super) seen: Option<Stamp>,
    /// Flags included.
    pub(super) loaded: Loaded,
    /// As the file says it, without flags: what later versions of the file are compared with.
    pub(super) written: ConfigFile,
    pub(super) catalogue: Arc<Catalogue>,
}

impl FirstLook {
    /// Reads the file, if there is one, and starts the log as it asks for.
    pub(super) fn read(options: ServeOptions) -> Result<Self, StartError> {
        let usual = || Some(PathBuf::from(USUAL_FILE)).filter(|path| path.exists());
        let path = options.config.clone().or_else(usual);
        let mut settings = match &path {
            None => ConfigFile::default(),
            Some(path) => match load(path, &ProcessEnvironment, &AnyModel) {
                Ok(loaded) => loaded.config,
                Err(_) => return Err(every_problem(path)),
            },
        };
        log::start(settings.telemetry.log_format);
        apply(&options, &mut settings.server);
        Ok(Self { options, path, settings })
    }

    /// Reads it again, with the catalogue in use.
    pub(super) async fn with_catalogue_of(self, storage: &Storage) -> Result<Configuration, StartError> {
        let Self { options, path, settings } = self;
        let catalogue = Arc::new(catalogue_in_use(storage, &settings).await?);
        let seen = path.as_deref().and_then(Stamp::of);
        let mut loaded = reload::read(path.as_deref(), &catalogue).map_err(StartError::Configuration)?;
        reload::say_warnings(path.as_deref(), &loaded);
        let written = loaded.config.clone();
        apply(&options, &mut loaded.config.server);
        Ok(Configuration { path, seen, loaded, written, catalogue })
    }
}

/// All problems of a file that has some, those about models too.
fn every_problem(path: &Path) -> StartError {
    match embedded().map(|catalogue| reload::read(Some(path), &catalogue)) {
        Ok(Err(problems)) => StartError::Configuration(problems),
        Ok(Ok(_)) => StartError::Other("the configuration changed while it was read: start again".to_owned()),
        Err(damaged) => damaged,
    }
}

fn apply(options: &ServeOptions, server: &mut Server) {
    let ServeOptions { listen, admin_listen, data_dir, .. } = options.clone();
    server.listen = listen.unwrap_or_else(|| server.listen.clone());
    server.admin_listen = admin_listen.unwrap_or_else(|| server.admin_listen.clone());
    server.data_dir = data_dir.unwrap_or_else(|| server.data_dir.clone());
}

fn embedded() -> Result<Catalogue, StartError> {
    Catalogue::embedded()
        .map_err(|error| StartError::Other(format!("the built-in catalogue is damaged: {error}")))
}

/// The catalogue an administrator installed, if one of the configured keys still vouches for it; else the built-in one.
async fn catalogue_in_use(storage: &Storage, settings: &ConfigFile) -> Result<Catalogue, StartError> {
    let InUse { catalogue, refused } =
        in_use(&storage.store, &settings.catalogue.public_keys).await.map_err(|refusal| {
            let directory = settings.server.data_dir.display();
            StartError::Other(format!("the catalogue in {directory} cannot be read: {}", refusal.message()))
        })?;
    if let Some(error) = refused {
        tracing::error!(%error, "the stored catalogue is not used; the built-in one is");
    }
    Ok(catalogue)
}
