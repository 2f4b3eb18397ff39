//! Which configuration and which data directory a command is about.

use std::path::{Path, PathBuf};

use clap::Args;
use trunkline_engine::config::file::ConfigFile;

use super::failure::Failure;

pub(super) use crate::boot::USUAL_FILE;

/// The flags every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Place {
    /// Configuration file [default: ./trunkline.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "TRUNKLINE_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Where everything is kept [default: as configured, else ./trunkline-data]
    #[arg(long, global = true, value_name = "DIR", env = "TRUNKLINE_DATA_DIR")]
    pub(super) data_dir: Option<PathBuf>,
}

impl Place {
    /// The configuration file: the one named, or the usual one where it is there.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        let usual = Path::new(USUAL_FILE);
        self.config.clone().or_else(|| usual.exists().then(|| usual.to_owned()))
    }

    /// The data directory: the one named, the configured one, or the usual one.
    ///
    /// Of the file only this one setting is read: a gateway that runs on its last good configuration can be asked
    /// whatever has become of the file since.
    pub(super) fn data_dir(&self) -> Result<PathBuf, Failure> {
        if let Some(directory) = &self.data_dir {
            return Ok(directory.clone());
        }
        let Some(path) = self.config_path() else { return Ok(ConfigFile::default().server.data_dir) };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::configuration(vec![format!(
                "{}: cannot be read: {error}; name another file with --config, or the data with --data-dir",
                path.display()
            )])
        })?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let what = error.message().replace('\n', " ");
            Failure::configuration(vec![format!(
                "{}: not TOML: {what}; `trunkline check` says where",
                path.display()
            )])
        })?;
        let named =
            table.get("server").and_then(|server| server.get("data_dir")).and_then(toml::Value::as_str);
        Ok(named.map_or_else(|| ConfigFile::default().server.data_dir, PathBuf::from))
    }
}
