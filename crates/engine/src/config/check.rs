//! From text to a [`ConfigFile`], or to every reason why not.
//!
//! No file and no environment is read here: secrets are named, not fetched ([`super::secrets`]). Look first at
//! [`check`].

use std::collections::BTreeMap;

use toml::de::DeTable;
use trunkline_catalogue::Offer;
use trunkline_providers::registry;
use trunkline_providers::spec::{BaseUrl, ProviderSpec};

use super::account::{AccountSettings, ModelChoice};
use super::fallbacks;
use super::file::{CatalogueSettings, ConfigFile, Storage, Telemetry};
use super::model::ModelCorrection;
use super::problem::{Findings, Problem, nearest};
use super::reader::{Table, Value};
use super::route::{PlacedTarget, Route};
use super::server::Server;

/// Longest account or route name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// What is known about models besides the file: answered by the catalogue in use.
pub trait KnownModels {
    /// Whether a canonical name or an alias is known.
    fn knows(&self, name: &str) -> bool;

    /// What a provider is known to offer; `None` before there is a catalogue to ask.
    fn offers(&self, provider: &ProviderSpec) -> Option<Vec<Offer>>;

    /// Known names that somebody who wrote `name` may have meant, best first.
    fn suggestions(&self, name: &str) -> Vec<String>;
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What the file says; `None` if a problem is an error.
    pub config: Option<ConfigFile>,
    /// Everything that was found, in the order of the text.
    pub problems: Vec<Problem>,
}

/// Checks a whole configuration text.
pub fn check(text: &str, models: &dyn KnownModels) -> Checked {
    let (document, faults) = DeTable::parse_recoverable(text);
    let faults =
        faults.iter().map(|fault| (fault.span().unwrap_or_default(), syntax_message(fault.message())));
    let findings = Findings::new(text, faults);
    let mut root = Table::root(document.get_ref(), &findings);
    let config = read(&mut root, models);
    root.finish();

    let usable = !findings.has_errors();
    Checked { config: usable.then_some(config), problems: findings.into_problems() }
}

fn syntax_message(message: &str) -> String {
    format!("not TOML: {}", message.trim().trim_end_matches(", expected nothing").replace('\n', " "))
}

fn read(root: &mut Table<'_>, models: &dyn KnownModels) -> ConfigFile {
    let server = root.table("server", Server::read).unwrap_or_default();
    let storage = root.table("storage", Storage::read).unwrap_or_default();
    let (accounts, names) = root.get("providers").map(|value| accounts(&value)).unwrap_or_default();
    let corrections = root.get("models").map(|value| corrections(&value)).unwrap_or_default();
    let (routes, placed) = root.get("routes").map(|value| routes(&value)).unwrap_or_default();
    let config = ConfigFile {
        server,
        storage,
        accounts,
        models: corrections,
        routes,
        catalogue: root.table("catalogue", CatalogueSettings::read).unwrap_or_default(),
        telemetry: root.table("telemetry", Telemetry::read).unwrap_or_default(),
    };
    for target in placed.iter().flatten() {
        check_target(target, &config, &names, models, root.findings());
    }
    fallbacks::check(&config, &placed, models, root.findings());
    config
}

/// The accounts, and the names of all of them, those included whose tables have problems.
fn accounts<'a>(value: &Value<'a>) -> (Vec<AccountSettings>, Vec<&'a str>) {
    let mut names = Vec::new();
    let mut accounts = Vec::new();
    let mut seen = BTreeMap::new();
    for (name, value) in value.names() {
        check_name(name, &value, &mut seen);
        names.push(name);
        let Some(account) = value.table(|table| AccountSettings::read(name, table)).flatten() else {
            continue;
        };
        if in_process(name).is_some_and(|spec| spec != account.provider) {
            value.error("this name is reserved: choose another");
        }
        accounts.push(account);
    }
    (accounts, names)
}

fn corrections(value: &Value<'_>) -> Vec<ModelCorrection> {
    let correction = |(model, value): (&str, Value<'_>)| {
        if model.is_empty() || model.contains(char::is_whitespace) {
            value.error("is not a model's name");
        }
        value.table(|table| ModelCorrection::read(model, table))
    };
    value.names().into_iter().filter_map(correction).collect()
}

/// The routes, and the models each names.
fn routes(value: &Value<'_>) -> (Vec<Route>, Vec<Vec<PlacedTarget>>) {
    let (mut routes, mut targets) = (Vec::new(), Vec::new());
    let mut seen = BTreeMap::new();
    for (name, value) in value.names() {
        check_name(name, &value, &mut seen);
        if name == "auto" {
            value.error("this name is reserved: choose another");
        }
        let Some((route, placed)) = value.table(|table| Route::read(name, table)) else { continue };
        routes.push(route);
        targets.push(placed);
    }
    (routes, targets)
}

/// A name must stand unquoted in `account/upstream-id` and in a `model` field, whatever case a caller writes.
fn check_name<'a>(name: &'a str, value: &Value<'_>, seen: &mut BTreeMap<String, &'a str>) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
        let message =
            format!("a name has 1 to {NAME_BYTES_MAX} letters, digits, hyphens, underscores or full stops");
        value.error_hint(message, "\"/\" and \":\" have a meaning in model names");
    }
    if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
        value.error(format!("differs from \"{other}\" in case only"));
    }
}

/// The provider inside this process that owns the account of this name, configured or not.
fn in_process(account: &str) -> Option<&'static ProviderSpec> {
    registry::by_id(account).filter(|spec| spec.base_url == BaseUrl::InProcess)
}

/// Checks that a route's target can mean something.
fn check_target(
    target: &PlacedTarget,
    config: &ConfigFile,
    accounts: &[&str],
    models: &dyn KnownModels,
    findings: &Findings<'_>,
) {
    let name = target.name.as_str();
    let stated = config.models.iter().any(|model| model.name == target.name);
    if stated || models.knows(name) || config.accounts.iter().any(|account| joins(account, name)) {
        return;
    }
    if config.routes.iter().any(|route| *route.name == *name) {
        findings.error(&target.place, "names a route: a route's targets are models");
        return;
    }
    let named = name
        .split_once('/')
        .filter(|(account, _)| accounts.contains(account) || in_process(account).is_some());
    let Some((account, id)) = named else {
        let message = format!(
            "\"{name}\" is neither a model the catalogue knows nor a model of an account in this file"
        );
        findings.error_hint(&target.place, message, meant(name, accounts, models));
        return;
    };
    let settings = config.accounts.iter().find(|settings| *settings.name == *account);
    let provider = settings.map(|settings| settings.provider).or_else(|| in_process(account));
    let lists_own = settings.is_some_and(|settings| settings.models.iter().any(|choice| is_own(choice, id)));
    let Some(provider) = provider else { return };
    let unknowable = matches!(provider.base_url, BaseUrl::PerCustomer(_) | BaseUrl::Local { .. })
        && settings.is_none_or(|settings| settings.models.is_empty());
    let listed = || {
        let offers = models.offers(provider);
        offers.is_none_or(|offers| offers.iter().any(|offer| offer.upstream_id.as_str() == id))
    };
    if !(unknowable || lists_own || listed()) {
        let message = format!("the catalogue knows no model \"{id}\" of account \"{account}\"");
        findings.warn(&target.place, message, did_you_mean(name, models));
    }
}

/// Whether one of the account's own models joins this public name.
fn joins(account: &AccountSettings, name: &str) -> bool {
    account.models.iter().any(|choice| match choice {
        ModelChoice::Own(own) => own.name.as_ref().is_some_and(|public| public.as_str() == name),
        ModelChoice::Pattern(_) => false,
    })
}

fn is_own(choice: &ModelChoice, id: &str) -> bool {
    matches!(choice, ModelChoice::Own(own) if own.id.as_str() == id)
}

fn did_you_mean(name: &str, models: &dyn KnownModels) -> Option<String> {
    let names: Vec<String> =
        models.suggestions(name).iter().take(3).map(|known| format!("\"{known}\"")).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
}

fn meant(name: &str, accounts: &[&str], models: &dyn KnownModels) -> String {
    let account = name.split_once('/').and_then(|(account, id)| {
        nearest(account, accounts.iter().copied()).map(|known| format!("did you mean \"{known}/{id}\"?"))
    });
    account
        .or_else(|| did_you_mean(name, models))
        .unwrap_or_else(|| format!("state its facts under [models.{name:?}], or write account/upstream-id"))
}
