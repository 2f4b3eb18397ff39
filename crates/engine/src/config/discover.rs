//! From named secrets and environment variables to accounts that can be opened.
//!
//! Without a configuration file, every provider with a public address whose usual variable is set becomes an
//! account named as its id. With a file, only the file's accounts exist. The provider inside this process is an
//! account in both cases. Asking local ports is not done here. Look first at [`from_environment`] and [`from_file`].

use std::cell::RefCell;

use trunkline_domain::{Secret, Text};
use trunkline_providers::registry;
use trunkline_providers::spec::{BaseUrl, ProviderSpec};

use super::account::{AccountSettings, KeyRef};
use super::cloud::CloudAccess;
use super::file::ConfigFile;
use super::problem::{Position, Problem};
use super::secrets::{Environment, SecretRef, SecretSource};

/// An account with its secrets at hand.
#[derive(Clone, Debug)]
pub struct ReadyAccount {
    /// Everything that is no secret.
    pub settings: AccountSettings,
    /// Its keys in the order of the settings; empty where the provider wants none.
    pub keys: Vec<AccountKey>,
    /// A cloud's credentials, instead of keys.
    pub cloud: Option<CloudAccess>,
    /// The proxy towards it, the server's included; its URL may hold credentials.
    pub proxy: Option<Secret<String>>,
}

/// One key of an account.
#[derive(Clone, Debug)]
pub struct AccountKey {
    /// What people and logs call it.
    pub label: Text,
    /// The key.
    pub secret: Secret<String>,
}

/// The accounts of a configuration file, and the one inside this process.
pub fn from_file(
    config: &ConfigFile,
    environment: &dyn Environment,
) -> Result<Vec<ReadyAccount>, Vec<Problem>> {
    let problems = RefCell::new(Vec::new());
    let keep = |outcome: Result<Secret<String>, Problem>| kept(outcome, &problems);
    let shared_proxy = config.server.proxy.as_ref().and_then(|proxy| keep(proxy.resolve(environment)));
    let mut accounts = Vec::new();
    for settings in &config.accounts {
        let mut keys = Vec::new();
        for KeyRef { label, secret } in &settings.keys {
            if let Some(secret) = keep(secret.resolve_or_report(environment)) {
                keys.push(AccountKey { label: label.clone(), secret });
            }
        }
        let proxy = match &settings.proxy {
            Some(proxy) => keep(proxy.resolve(environment)),
            None => shared_proxy.clone(),
        };
        let cloud = settings.cloud.as_ref().and_then(|cloud| kept(cloud.resolve(environment), &problems));
        accounts.push(ReadyAccount { settings: settings.clone(), keys, cloud, proxy });
    }
    let mut problems = problems.into_inner();
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.position);
        return Err(problems);
    }
    add_in_process(&mut accounts);
    Ok(accounts)
}

fn kept<T>(outcome: Result<T, Problem>, problems: &RefCell<Vec<Problem>>) -> Option<T> {
    outcome.map_err(|problem| problems.borrow_mut().push(problem)).ok()
}

/// The accounts of the usual environment variables, and the one inside this process. Where one variable names two
/// providers, only the first of the registry is taken.
pub fn from_environment(environment: &dyn Environment) -> Vec<ReadyAccount> {
    let mut taken: Vec<&str> = Vec::new();
    let mut accounts = Vec::new();
    let public = registry::ALL.iter().filter(|spec| matches!(spec.base_url, BaseUrl::Fixed(_)));
    for &spec in public {
        let mut free = spec.env.iter().copied().filter(|name| !taken.contains(name));
        let Some((name, key)) = free.find_map(|name| Some((name, usual_key(name, environment)?))) else {
            continue;
        };
        taken.push(name);
        accounts.push(with_key(spec, key));
    }
    add_in_process(&mut accounts);
    accounts
}

/// A key from its usual variable: a reference as a file would have it, and its secret. A variable that is set but
/// holds no key counts as not set.
fn usual_key(name: &str, environment: &dyn Environment) -> Option<(KeyRef, AccountKey)> {
    let source = SecretSource::Env(name.to_owned());
    let reference = SecretRef { source, key: String::new(), position: Position::START };
    let secret = reference.resolve(environment).ok()?;
    let label = Text::from("1");
    Some((KeyRef { label: label.clone(), secret: reference }, AccountKey { label, secret }))
}

fn with_key(spec: &'static ProviderSpec, (reference, key): (KeyRef, AccountKey)) -> ReadyAccount {
    let settings = AccountSettings { keys: vec![reference], ..AccountSettings::new(spec.id, spec) };
    ReadyAccount { settings, keys: vec![key], cloud: None, proxy: None }
}

fn add_in_process(accounts: &mut Vec<ReadyAccount>) {
    let settings: Vec<_> = in_process_besides(accounts.iter().map(|account| &account.settings)).collect();
    let ready = |settings| ReadyAccount { settings, keys: Vec::new(), cloud: None, proxy: None };
    accounts.extend(settings.into_iter().map(ready));
}

/// The accounts that are there without being configured, besides those that are.
pub(super) fn in_process_besides<'a>(
    accounts: impl IntoIterator<Item = &'a AccountSettings>,
) -> impl Iterator<Item = AccountSettings> {
    let names: Vec<&Text> = accounts.into_iter().map(|account| &account.name).collect();
    let in_process = registry::ALL.iter().filter(|spec| spec.base_url == BaseUrl::InProcess);
    let missing = in_process.filter(move |spec| names.iter().all(|name| ***name != *spec.id));
    missing.map(|spec| AccountSettings::new(spec.id, spec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secrets::FakeEnvironment;

    fn names(accounts: &[ReadyAccount]) -> Vec<&str> {
        accounts.iter().map(|account| &*account.settings.name).collect()
    }

    #[test]
    fn a_bare_machine_has_the_simulated_provider_only() {
        assert_eq!(names(&from_environment(&FakeEnvironment::default())), ["sandbox"]);
    }

    #[test]
    fn every_usual_variable_makes_an_account_with_its_key() {
        let vars =
            vec![("GROQ_API_KEY", "gsk_canary\n"), ("OPENAI_API_KEY", "sk-canary"), ("MISTRAL_API_KEY", " ")];
        let accounts = from_environment(&FakeEnvironment { vars, files: vec![] });
        let mut found = names(&accounts);
        found.sort_unstable();
        assert_eq!(found, ["groq", "openai", "sandbox"]);
        let groq = accounts.iter().find(|account| &*account.settings.name == "groq").unwrap();
        assert_eq!(groq.keys[0].secret.expose(), "gsk_canary");
        assert!(!format!("{accounts:?}").contains("canary"));
    }

    #[test]
    fn no_variable_makes_two_accounts() {
        for spec in registry::ALL.iter().filter(|spec| matches!(spec.base_url, BaseUrl::Fixed(_))) {
            for name in spec.env {
                let accounts =
                    from_environment(&FakeEnvironment { vars: vec![(name, "key")], files: vec![] });
                assert_eq!(accounts.len(), 2, "{name}");
            }
        }
    }

    #[test]
    fn a_provider_that_needs_an_address_is_not_guessed() {
        for spec in registry::ALL.iter().filter(|spec| matches!(spec.base_url, BaseUrl::PerCustomer(_))) {
            let vars = spec.env.iter().map(|name| (*name, "key")).collect();
            let accounts = from_environment(&FakeEnvironment { vars, files: vec![] });
            assert!(!names(&accounts).contains(&spec.id), "{}", spec.id);
        }
    }
}
