//! `[providers.NAME]`: one account at a provider, as the operator configured it.
//!
//! Not yet usable: its keys are only named. [`super::discover`] turns it into an account with its secrets. Look
//! first at [`AccountSettings`].

use std::path::PathBuf;

use trunkline_domain::Text;
use trunkline_domain::access::{ModelPattern, RateLimits};
use trunkline_domain::plan::Timeouts;
use trunkline_providers::registry;
use trunkline_providers::spec::{AuthScheme, BaseUrl, PrefillMark, ProviderSpec};

use super::cloud::CloudSettings;
use super::limits::milliseconds;
use super::model::{OwnModel, name};
use super::problem::nearest;
use super::reader::{Table, Value};
use super::secrets::SecretRef;
use super::server::ProxyRef;

/// Most keys of one account.
pub const KEYS_MAX: usize = 64;

/// One account at a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountSettings {
    /// Its name: what stands before the slash in `account/upstream-id`.
    pub name: Text,
    /// Who serves it.
    pub provider: &'static ProviderSpec,
    /// Where its API lives, without a trailing slash; none in this process.
    pub base_url: Option<Text>,
    /// The version of its API, where it is named with each call.
    pub api_version: Option<Text>,
    /// Its keys: one, or a pool.
    pub keys: Vec<KeyRef>,
    /// A cloud's credentials, instead of keys.
    pub cloud: Option<CloudSettings>,
    /// The place the operator declares it to be in.
    pub region: Option<Text>,
    /// What it serves; empty: everything the catalogue or its listing knows.
    pub models: Vec<ModelChoice>,
    /// The proxy towards it; without one, the server's.
    pub proxy: Option<ProxyRef>,
    /// A file of further certificate authorities, PEM.
    pub ca_bundle: Option<PathBuf>,
    /// Accounts of a lower number are tried first.
    pub priority: i32,
    /// What may be sent to it.
    pub limits: RateLimits,
    /// Deadlines that differ from the default.
    pub timeouts: Timeouts,
    /// What happens to models without a price.
    pub unpriced: Unpriced,
    /// How its models are told to go on with an answer that was begun elsewhere; without a word, as is known of them.
    pub prefill: Option<SaidPrefill>,
    /// Whether its models join canonical names; if not, they are reached as `account/upstream-id` only. A model
    /// described with a name of its own joins that in any case: the operator said so.
    pub canonical: bool,
}

/// One key of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// What people and logs call it: its own label, or its number in the list.
    pub label: Text,
    /// Where it is kept.
    pub secret: SecretRef,
}

/// One entry of an account's `models`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// Upstream ids or public names that match.
    Pattern(ModelPattern),
    /// A model described here.
    Own(Box<OwnModel>),
}

/// What happens to models without a price. Under a budget they are always refused: their bill has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unpriced {
    /// Served where no budget applies.
    #[default]
    Serve,
    /// Refused.
    Refuse,
}

impl Unpriced {
    pub(super) fn read(table: &mut Table<'_>) -> Option<Self> {
        table.get("unpriced")?.choice(&[("serve", Self::Serve), ("refuse", Self::Refuse)])
    }
}

/// What the operator says of going on with answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidPrefill {
    /// The account's models do not.
    No,
    /// They do, told so by this.
    By(PrefillMark),
}

impl SaidPrefill {
    fn read(table: &mut Table<'_>) -> Option<Self> {
        let [last, prefix, partial, fields] = PrefillMark::CHOICES.map(|(name, mark)| (name, Self::By(mark)));
        table.get("prefill")?.choice(&[("none", Self::No), last, prefix, partial, fields])
    }
}

/// The key `timeouts`, of an account or of a route.
pub(super) fn timeouts(table: &mut Table<'_>) -> Option<Timeouts> {
    table.table("timeouts", |table| Timeouts {
        connect: milliseconds(table, "connect_ms", 1..=600_000),
        headers: milliseconds(table, "headers_ms", 1..=3_600_000),
        first_content: milliseconds(table, "first_content_ms", 1..=3_600_000),
        idle: milliseconds(table, "idle_ms", 1..=3_600_000),
        total: milliseconds(table, "total_ms", 1..=86_400_000),
    })
}

impl AccountSettings {
    /// An account that is nothing but a name at a provider with an address of its own.
    pub fn new(name: &str, provider: &'static ProviderSpec) -> Self {
        Self {
            name: Text::from(name),
            provider,
            base_url: match provider.base_url {
                BaseUrl::Fixed(url) | BaseUrl::Local { url, .. } => Some(Text::from(url)),
                BaseUrl::PerCustomer(_) | BaseUrl::InProcess => None,
            },
            api_version: None,
            keys: Vec::new(),
            cloud: None,
            region: None,
            models: Vec::new(),
            proxy: None,
            ca_bundle: None,
            priority: 0,
            limits: RateLimits::default(),
            timeouts: Timeouts::default(),
            unpriced: Unpriced::default(),
            prefill: None,
            canonical: matches!(provider.base_url, BaseUrl::Fixed(_) | BaseUrl::PerCustomer(_)),
        }
    }

    /// Reads the whole table even where it cannot become an account, so that every problem in it is found.
    pub(super) fn read(account: &str, table: &mut Table<'_>) -> Option<Self> {
        let provider = provider(account, table);
        let url = table.get("base_url");
        let base_url = url.as_ref().and_then(base_url);
        let api_version = api_version(table, provider, url.as_ref());
        let keys = keys(table);
        let auth = table.get("auth");
        let cloud = CloudSettings::read(table, provider);
        let region = table.text("region").map(Text::from);
        let models = models(&table.list("models"));
        let proxy = table.get("proxy").and_then(|value| ProxyRef::read(&value));
        let ca_bundle = table.text("ca_bundle").map(PathBuf::from);
        let priority = table.number("priority", -1000..=1000).unwrap_or(0);
        let limits = RateLimits {
            rpm: table.number("rpm", 1..=i64::from(u32::MAX)),
            tpm: table.number("tpm", 1..=i64::MAX),
            concurrency: table.number("max_concurrency", 1..=i64::from(u32::MAX)),
        };
        let timeouts = timeouts(table).unwrap_or_default();
        let unpriced = Unpriced::read(table).unwrap_or_default();
        let prefill = SaidPrefill::read(table);
        let canonical = table.get("canonical");
        let joins = canonical.as_ref().and_then(Value::switch);

        let defaults = Self::new(account, provider?);
        match (defaults.provider.base_url, &url) {
            (BaseUrl::PerCustomer(example), None) => {
                table.missing("base_url", format!("such as \"{example}\""));
            }
            (BaseUrl::InProcess, _) => {
                refuse_in_process(url.as_ref(), canonical.filter(|_| joins == Some(true)));
            }
            _ => {}
        }
        if let Some(keys) = &keys {
            match &auth {
                Some(auth) if !keys.is_empty() => auth.error("there is a key too: keep one of them"),
                Some(_) => {}
                None => check_auth(defaults.provider, keys, table),
            }
        }
        Some(Self {
            base_url: base_url.or(defaults.base_url),
            api_version,
            keys: keys.unwrap_or_default(),
            cloud,
            region,
            models,
            proxy,
            ca_bundle,
            priority,
            limits,
            timeouts,
            unpriced,
            prefill,
            canonical: joins.unwrap_or(defaults.canonical),
            ..defaults
        })
    }
}

/// Reports what makes no sense for a provider inside this process.
fn refuse_in_process(url: Option<&Value<'_>>, canonical: Option<Value<'_>>) {
    if let Some(url) = url {
        url.error("this kind runs inside the gateway: it has no address");
    }
    if let Some(canonical) = canonical {
        canonical.error("this kind only simulates: it never joins a real model's name");
    }
}

/// The provider: `kind`, or the account's own name where that is a provider's id.
fn provider(account: &str, table: &mut Table<'_>) -> Option<&'static ProviderSpec> {
    let meant = |word: &str| match nearest(word, registry::ALL.iter().map(|spec| spec.id)) {
        Some(id) => format!("did you mean \"{id}\"?"),
        None => "`trunkline providers` lists the kinds".to_owned(),
    };
    let Some(kind) = table.get("kind") else {
        let provider = registry::by_id(account);
        if provider.is_none() {
            table.missing("kind", meant(account));
        }
        return provider;
    };
    let id = kind.text()?;
    let provider = registry::by_id(id);
    if provider.is_none() {
        kind.error_hint("there is no such kind of provider", meant(id));
    }
    provider
}

/// Checks an address; what it says about a bad one never repeats it, since it may hold credentials.
pub(super) fn base_url(value: &Value<'_>) -> Option<Text> {
    let text = value.text()?;
    let uri = text.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(|uri| uri.host()).filter(|host| !host.is_empty());
    let scheme = uri.as_ref().and_then(|uri| uri.scheme_str());
    let fault = if text.contains('@') {
        "must not hold credentials: keys belong in api_key"
    } else if text.contains(['?', '#']) {
        "must not have a query or a fragment"
    } else if !matches!(scheme, Some("http" | "https")) || host.is_none() {
        "must be an address such as https://models.example.com/v1"
    } else {
        return Some(Text::from(text.trim_end_matches('/')));
    };
    value.error(fault);
    None
}

/// The version of its API, for kinds that are asked with one.
fn api_version(
    table: &mut Table<'_>,
    provider: Option<&ProviderSpec>,
    url: Option<&Value<'_>>,
) -> Option<Text> {
    let value = table.get("api_version")?;
    let version = value.text()?;
    let Some(example) = provider?.api_version else {
        value.error("this kind is not asked by version: leave it out");
        return None;
    };
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        value.error_hint("is no version", format!("such as \"{example}\""));
        return None;
    }
    if let Some(url) = url
        && url.text().is_some_and(|text| text.trim_end_matches('/').ends_with("/v1"))
    {
        url.error("the v1 API takes no version: leave `api_version` out, or end this in /openai");
        return None;
    }
    Some(Text::from(version))
}

/// The keys; `None` where there are none or where they could not be read, which was then reported.
fn keys(table: &mut Table<'_>) -> Option<Vec<KeyRef>> {
    let (one, several) = (table.get("api_key"), table.get("api_keys"));
    match (one, several) {
        (None, None) => Some(Vec::new()),
        (Some(one), None) => {
            SecretRef::read(&one).map(|secret| vec![KeyRef { label: Text::from("1"), secret }])
        }
        (None, Some(several)) => pool(&several),
        (Some(_), Some(several)) => {
            several.error("there is an api_key too: keep one of them");
            None
        }
    }
}

fn pool(value: &Value<'_>) -> Option<Vec<KeyRef>> {
    let list = value.list()?;
    if list.is_empty() || list.len() > KEYS_MAX {
        value.error(format!("must hold between 1 and {KEYS_MAX} keys"));
        return None;
    }
    let mut keys: Vec<KeyRef> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let Some(key) = pooled_key(index, item) else { continue };
        if keys.iter().any(|other| other.label == key.label) {
            item.error(format!("label \"{}\" is there twice", key.label));
        }
        keys.push(key);
    }
    (keys.len() == list.len()).then_some(keys)
}

fn pooled_key(index: usize, item: &Value<'_>) -> Option<KeyRef> {
    if !item.is_table() {
        SecretRef::read(item)?;
    }
    item.table(|table| {
        let label = table.get("label").and_then(|value| name(&value)).map(Text::from);
        let label = label.unwrap_or_else(|| Text::from((index + 1).to_string()));
        Some(KeyRef { label, secret: SecretRef::read_source(table)? })
    })?
}

fn models(list: &[Value<'_>]) -> Vec<ModelChoice> {
    let mut choices: Vec<ModelChoice> = Vec::new();
    for item in list {
        let choice = if item.is_table() {
            item.table(OwnModel::read).flatten().map(|own| ModelChoice::Own(Box::new(own)))
        } else if item.is_text() {
            pattern(item).map(ModelChoice::Pattern)
        } else {
            item.mistyped("a pattern such as \"gpt-*\" or a table { id = … }")
        };
        let Some(choice) = choice else { continue };
        if choices.iter().any(|other| same(other, &choice)) {
            item.error("is there twice");
        }
        choices.push(choice);
    }
    choices
}

fn same(one: &ModelChoice, other: &ModelChoice) -> bool {
    match (one, other) {
        (ModelChoice::Pattern(one), ModelChoice::Pattern(other)) => one == other,
        (ModelChoice::Own(one), ModelChoice::Own(other)) => one.id == other.id,
        (ModelChoice::Pattern(_), ModelChoice::Own(_)) | (ModelChoice::Own(_), ModelChoice::Pattern(_)) => {
            false
        }
    }
}

fn pattern(value: &Value<'_>) -> Option<ModelPattern> {
    let text = name(value)?;
    if text.strip_suffix('*').unwrap_or(text).contains('*') {
        value.error("may have a * at its end only");
        return None;
    }
    Some(ModelPattern(Text::from(text)))
}

/// Whether the account has a key exactly where its provider wants one.
fn check_auth(provider: &ProviderSpec, keys: &[KeyRef], table: &Table<'_>) {
    match (provider.auth, keys.is_empty()) {
        (AuthScheme::Bearer | AuthScheme::Header(_), true) => {
            if let (None, Some(cloud)) = (provider.env.first(), provider.clouds.first()) {
                return table.missing("auth", format!("write auth = {{ kind = \"{}\" }}", cloud.as_str()));
            }
            let variable = provider.env.first().unwrap_or(&"NAME");
            table.missing("api_key", format!("write api_key = {{ env = \"{variable}\" }}"));
        }
        (AuthScheme::None, false) => table.findings().error(table.place(), "this kind takes no key"),
        _ => {}
    }
}
