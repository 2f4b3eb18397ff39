//! What a gateway would see if it were started now, without starting anything: the configuration, the catalogue in
//! use, and a snapshot of both. Nothing is written, no secret is needed and nothing can be sent.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trunkline_catalogue::Catalogue;
use trunkline_engine::config::file::ConfigFile;
use trunkline_engine::config::{
    AnyModel, CatalogueModels, Environment, Loaded, ProcessEnvironment, load, load_without_file,
};
use trunkline_engine::configurator::Configurator;
use trunkline_engine::snapshot::Snapshot;
use trunkline_store::{Mode, Store, StoreOptions};
use trunkline_upstream::sandbox::Sandbox;

use super::failure::Failure;
use super::output;
use super::place::Place;
use crate::admin::catalogue::{InUse, in_use};

/// What would be seen.
pub(super) struct World {
    pub(super) snapshot: Snapshot,
    pub(super) catalogue: Arc<Catalogue>,
    /// Opened for reading; none where nothing has been stored yet.
    pub(super) store: Option<Store>,
}

impl World {
    /// Looks at the files there are.
    pub(super) async fn look(place: &Place) -> Result<Self, Failure> {
        let settings = settings(place)?;
        let store = read_only(&place.data_dir()?).await?;
        let catalogue = Arc::new(catalogue(store.as_ref(), &settings).await?);
        let loaded = without_secrets(place, &catalogue)?;
        let snapshot = configurator(loaded, Arc::clone(&catalogue)).first().await;
        let snapshot = snapshot.map_err(|error| Failure::configuration(vec![error.to_string()]))?;
        Ok(Self { snapshot, catalogue, store })
    }
}

/// The catalogue in use where a store is there, else the built-in one.
pub(super) async fn catalogue(store: Option<&Store>, settings: &ConfigFile) -> Result<Catalogue, Failure> {
    match store {
        Some(store) => {
            let used = in_use(store, &settings.catalogue.public_keys).await;
            let InUse { catalogue, refused } = used.map_err(|refusal| Failure::new(refusal.message()))?;
            if let Some(refused) = refused {
                output::complain(&format!(
                    "warning: the stored catalogue is not used, the built-in one is: {refused}"
                ));
            }
            Ok(catalogue)
        }
        None => Catalogue::embedded().map_err(|error| Failure::new(error.to_string())),
    }
}

/// The store of a data directory, for reading, if there is one.
pub(super) async fn read_only(data_dir: &Path) -> Result<Option<Store>, Failure> {
    if !data_dir.join("control.db").exists() {
        return Ok(None);
    }
    let options = StoreOptions { mode: Mode::ReadOnly, ..StoreOptions::new(data_dir) };
    Store::open(options).await.map(Some).map_err(|error| Failure::new(error.to_string()))
}

/// Makes snapshots that cannot send anything: every way out leads to the simulated provider.
pub(super) fn configurator(loaded: Loaded, catalogue: Arc<Catalogue>) -> Configurator {
    let nowhere = Arc::new(Sandbox::new(0));
    Configurator::new(nowhere.clone(), nowhere, Arc::new(ProcessEnvironment), loaded, catalogue)
}

/// What the file says, whatever models it names: enough to know where things lie and whom to trust.
pub(super) fn settings(place: &Place) -> Result<ConfigFile, Failure> {
    let Some(path) = place.config_path() else { return Ok(ConfigFile::default()) };
    let loaded = load(&path, &NoSecrets { config: path.clone() }, &AnyModel);
    loaded.map(|loaded| loaded.config).map_err(|problems| {
        let file = path.display().to_string();
        Failure::configuration(problems.iter().map(|problem| problem.render(&file)).collect())
    })
}

/// The configuration, with its accounts but without their secrets, which planning does not need.
pub(super) fn without_secrets(place: &Place, catalogue: &Catalogue) -> Result<Loaded, Failure> {
    let Some(path) = place.config_path() else { return Ok(load_without_file(&ProcessEnvironment)) };
    let models = CatalogueModels::new(catalogue).map_err(|error| Failure::new(error.to_string()))?;
    let mut loaded = load(&path, &NoSecrets { config: path.clone() }, &models).map_err(|problems| {
        let file = path.display().to_string();
        Failure::configuration(problems.iter().map(|problem| problem.render(&file)).collect())
    })?;
    loaded.config.server.ca_bundle = None;
    for account in &mut loaded.accounts {
        account.settings.ca_bundle = None;
        account.proxy = None;
    }
    Ok(loaded)
}

/// Reads the configuration file and has something harmless for every secret it names.
struct NoSecrets {
    config: PathBuf,
}

/// Does for a key as well as for a proxy's address; nothing is ever sent there.
const HARMLESS: &str = "http://nowhere.invalid";

impl Environment for NoSecrets {
    fn var(&self, _: &str) -> Option<String> {
        Some(HARMLESS.to_owned())
    }

    fn read_file(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        if path == self.config {
            return ProcessEnvironment.read_file(path, bytes_max);
        }
        Ok(HARMLESS.as_bytes().to_vec())
    }
}
