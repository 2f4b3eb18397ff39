//! `trunkline.toml` as types: what it says, every default filled in.
//!
//! Not the check across tables ([`super::check`]) and not the running configuration. Look first at [`ConfigFile`];
//! every key is described in [`super::reference`].

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::account::AccountSettings;
use super::model::ModelCorrection;
use super::reader::{Table, Value};
use super::route::Route;
use super::server::Server;

/// Everything a configuration file says. The default is what an empty file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigFile {
    /// `[server]`.
    pub server: Server,
    /// `[storage]`.
    pub storage: Storage,
    /// `[providers.NAME]`, in the order of the file.
    pub accounts: Vec<AccountSettings>,
    /// `[models."vendor/model"]`, in the order of the file.
    pub models: Vec<ModelCorrection>,
    /// `[routes.NAME]`, in the order of the file.
    pub routes: Vec<Route>,
    /// `[catalogue]`.
    pub catalogue: CatalogueSettings,
    /// `[telemetry]`.
    pub telemetry: Telemetry,
}

/// The table `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// What an attempt survives.
    pub durability: Durability,
    /// Most bytes the journal may take before requests are refused.
    pub journal_bytes_max: u64,
}

/// What the record of an attempt survives from the moment its bytes leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The process being killed.
    #[default]
    Process,
    /// The machine losing power.
    Power,
}

impl Storage {
    /// Default of `journal_bytes_max`: 1 GiB.
    pub const JOURNAL_BYTES_MAX: u64 = 1 << 30;

    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let defaults = Self::default();
        let words = [("process", Durability::Process), ("power", Durability::Power)];
        Self {
            durability: table.get("durability").and_then(|value| value.choice(&words)).unwrap_or_default(),
            journal_bytes_max: table
                .number("journal_bytes_max", 32 << 20..=1 << 40)
                .unwrap_or(defaults.journal_bytes_max),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { durability: Durability::default(), journal_bytes_max: Self::JOURNAL_BYTES_MAX }
    }
}

/// The table `[catalogue]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueSettings {
    /// Ed25519 keys whose signature on a catalogue is trusted.
    pub public_keys: Vec<[u8; 32]>,
    /// How often the providers' free listings of models are read; `None`: never.
    pub listing_refresh: Option<Duration>,
}

impl CatalogueSettings {
    /// Default of `listing_refresh`: an hour.
    pub const LISTING_REFRESH: Duration = Duration::from_hours(1);

    pub(super) fn read(table: &mut Table<'_>) -> Self {
        Self {
            public_keys: table.list("public_keys").iter().filter_map(public_key).collect(),
            listing_refresh: match table.get("listing_refresh") {
                None => Self::default().listing_refresh,
                Some(value) => listing_refresh(&value),
            },
        }
    }
}

impl Default for CatalogueSettings {
    fn default() -> Self {
        Self { public_keys: Vec::new(), listing_refresh: Some(Self::LISTING_REFRESH) }
    }
}

fn public_key(value: &Value<'_>) -> Option<[u8; 32]> {
    let key = STANDARD.decode(value.text()?).ok().and_then(|bytes| bytes.try_into().ok());
    if key.is_none() {
        value.error("is not an Ed25519 public key: 32 bytes in base64");
    }
    key
}

fn listing_refresh(value: &Value<'_>) -> Option<Duration> {
    if value.is_switch() {
        return value.switch()?.then_some(CatalogueSettings::LISTING_REFRESH);
    }
    if !value.is_number() {
        return value.mistyped("true, false or a number of hours");
    }
    value.number(1..=168).map(Duration::from_hours)
}

/// The table `[telemetry]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// The form of log lines.
    pub log_format: LogFormat,
    /// Whether every request leaves a log line.
    pub access_log: bool,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Telemetry {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        Self {
            log_format: table.get("log_format").and_then(|value| value.choice(&words)).unwrap_or_default(),
            access_log: table.switch("access_log").unwrap_or(false),
        }
    }
}
