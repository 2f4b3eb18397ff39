//! `auth` of an account: a cloud's own credentials instead of a key.
//!
//! What the file says ([`CloudSettings`]), and the same with its secrets at hand ([`CloudAccess`]). Tokens are obtained
//! elsewhere: [`crate::snapshot`]. Look first at [`CloudSettings::read`].

use std::path::PathBuf;

use trunkline_domain::{Secret, Text};
use trunkline_providers::spec::{Cloud, ProviderSpec};
use trunkline_upstream::auth::sigv4::Scope;
use trunkline_upstream::auth::{aws, entra, google};

use super::account::base_url;
use super::problem::{Position, Problem};
use super::reader::Table;
use super::secrets::{Environment, SecretRef, SecretSource};

const AWS_KEYS: &[&str] = &[
    "region",
    "source",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "role_arn",
    "session_name",
    "token_file",
    "service",
    "endpoint",
];
const GOOGLE_KEYS: &[&str] = &["credentials", "scope", "endpoint"];
const ENTRA_KEYS: &[&str] = &["tenant_id", "client_id", "client_secret", "token_file", "scope", "endpoint"];

/// What sessions of assumed roles are called unless said otherwise.
const SESSION: &str = "trunkline";

/// A cloud's credentials as the operator configured them: secrets are only named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudSettings {
    /// AWS.
    Aws(AwsSettings),
    /// Google Cloud.
    Google(GoogleSettings),
    /// Microsoft Entra.
    Entra(EntraSettings),
}

/// `kind = "aws"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSettings {
    /// What the signatures are good for.
    pub scope: Scope,
    /// Where keys come from.
    pub source: AwsSettingsSource,
    /// The service that issues keys, where it is not the usual one.
    pub endpoint: Option<Text>,
    position: Position,
}

/// Where AWS keys come from, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsSettingsSource {
    /// From this configuration.
    Keys {
        /// `access_key_id`.
        id: SecretRef,
        /// `secret_access_key`.
        secret: SecretRef,
        /// `session_token`.
        token: Option<SecretRef>,
    },
    /// A role assumed with a token from a file.
    WebIdentity {
        /// `role_arn`.
        role: String,
        /// `token_file`.
        token_file: PathBuf,
        /// `session_name`.
        session: String,
    },
    /// What AWS's usual variables say; without any, the machine's role.
    Environment,
    /// The machine's role, whatever the environment says.
    Instance,
}

/// `kind = "google"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleSettings {
    /// A credentials file; without one, the metadata server is asked.
    pub credentials: Option<SecretRef>,
    /// What tokens may be used for.
    pub scope: String,
    /// The service that issues tokens, where it is not the usual one.
    pub endpoint: Option<Text>,
}

/// `kind = "entra"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraSettings {
    /// How tokens are obtained.
    pub source: EntraSettingsSource,
    /// What tokens are for.
    pub scope: String,
    /// The service that issues tokens, where it is not the usual one.
    pub endpoint: Option<Text>,
}

/// How Entra's tokens are obtained, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntraSettingsSource {
    /// By an application with a secret.
    Secret {
        /// `tenant_id`.
        tenant: String,
        /// `client_id`.
        client: String,
        /// `client_secret`.
        secret: SecretRef,
    },
    /// By an application with a token from a file.
    Federated {
        /// `tenant_id`.
        tenant: String,
        /// `client_id`.
        client: String,
        /// `token_file`.
        token_file: PathBuf,
    },
    /// By the machine's managed identity, or this one of several.
    ManagedIdentity(Option<String>),
}

/// A cloud's credentials with their secrets at hand: what tokens are obtained with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudAccess {
    /// AWS.
    Aws(Scope, AwsKeys),
    /// Google Cloud.
    Google {
        /// The credentials file's content; without it, the metadata server is asked.
        credentials: Option<Secret<String>>,
        /// What tokens may be used for.
        scope: String,
        /// The service that issues tokens.
        endpoint: Text,
    },
    /// Microsoft Entra.
    Entra {
        /// How tokens are obtained.
        source: EntraTokens,
        /// What tokens are for.
        scope: String,
        /// The service that issues tokens.
        endpoint: Text,
    },
}

/// Where AWS keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsKeys {
    /// They are here and never change.
    Fixed {
        /// Access key id.
        id: Secret<String>,
        /// Secret access key.
        secret: Secret<String>,
        /// Session token.
        token: Option<Secret<String>>,
    },
    /// The instance metadata service at this address.
    Instance(Text),
    /// The container credentials endpoint.
    Container {
        /// Its whole address.
        url: Text,
        /// What authorises asking it.
        authorization: Option<SecretSource>,
    },
    /// STS.
    WebIdentity {
        /// Its address.
        endpoint: Text,
        /// The role's ARN.
        role: String,
        /// The session's name.
        session: String,
        /// Where the identity provider's token lies.
        token_file: PathBuf,
    },
}

/// How Entra's tokens are obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntraTokens {
    /// By an application.
    Application {
        /// The directory.
        tenant: String,
        /// The application.
        client: String,
        /// How it proves itself.
        proof: EntraProof,
    },
    /// By a managed identity.
    ManagedIdentity(Option<String>),
}

/// How an application proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntraProof {
    /// By a secret.
    Secret(Secret<String>),
    /// By a token in this file.
    TokenFile(PathBuf),
}

impl CloudSettings {
    /// The cloud.
    pub const fn cloud(&self) -> Cloud {
        match self {
            Self::Aws(_) => Cloud::Aws,
            Self::Google(_) => Cloud::Google,
            Self::Entra(_) => Cloud::Entra,
        }
    }

    /// Reads the table `auth` of an account; `None` where there is none or it was reported.
    pub(super) fn read(table: &mut Table<'_>, provider: Option<&ProviderSpec>) -> Option<Self> {
        let auth = table.get("auth")?;
        auth.table(|table| {
            let kind = table.get("kind");
            if kind.is_none() {
                table.missing("kind", "\"aws\", \"google\" or \"entra\"");
            }
            let words = Cloud::ALL.map(|cloud| (cloud.as_str(), cloud));
            let cloud = kind.as_ref().and_then(|kind| kind.choice(&words));
            refuse_foreign(cloud, table);
            let cloud = cloud?;
            if let (Some(kind), Some(provider)) = (&kind, provider)
                && !provider.clouds.contains(&cloud)
            {
                kind.error(format!("kind \"{}\" takes no credentials of this cloud", provider.id));
            }
            match cloud {
                Cloud::Aws => aws_settings(table, provider).map(Self::Aws),
                Cloud::Google => Some(Self::Google(google_settings(table))),
                Cloud::Entra => entra_settings(table).map(Self::Entra),
            }
        })?
    }

    /// Fetches the secrets it names.
    pub(super) fn resolve(&self, environment: &dyn Environment) -> Result<CloudAccess, Problem> {
        match self {
            Self::Aws(settings) => {
                Ok(CloudAccess::Aws(settings.scope.clone(), settings.resolve(environment)?))
            }
            Self::Google(GoogleSettings { credentials, scope, endpoint }) => {
                let usual = if credentials.is_some() { google::TOKEN_URL } else { google::METADATA_URL };
                let content =
                    credentials.as_ref().map(|file| file.resolve_text_or_report(environment)).transpose()?;
                Ok(CloudAccess::Google {
                    credentials: content,
                    scope: scope.clone(),
                    endpoint: or(endpoint.as_ref(), usual),
                })
            }
            Self::Entra(EntraSettings { source, scope, endpoint }) => {
                let usual = match source {
                    EntraSettingsSource::ManagedIdentity(_) => entra::METADATA_URL,
                    EntraSettingsSource::Secret { .. } | EntraSettingsSource::Federated { .. } => {
                        entra::AUTHORITY_URL
                    }
                };
                let source = source.resolve(environment)?;
                Ok(CloudAccess::Entra {
                    source,
                    scope: scope.clone(),
                    endpoint: or(endpoint.as_ref(), usual),
                })
            }
        }
    }
}

/// Reports keys that belong to another cloud.
fn refuse_foreign(cloud: Option<Cloud>, table: &mut Table<'_>) {
    let known = cloud.map(|cloud| match cloud {
        Cloud::Aws => AWS_KEYS,
        Cloud::Google => GOOGLE_KEYS,
        Cloud::Entra => ENTRA_KEYS,
    });
    for key in [AWS_KEYS, GOOGLE_KEYS, ENTRA_KEYS].concat() {
        let value = table.get(key);
        if let (Some(value), Some(known), Some(cloud)) = (value, known, cloud)
            && !known.contains(&key)
        {
            let hint = format!("known here: {}", known.join(", "));
            value.error_hint(format!("kind \"{}\" has no such key", cloud.as_str()), hint);
        }
    }
}

fn or(endpoint: Option<&Text>, usual: &str) -> Text {
    endpoint.cloned().unwrap_or_else(|| Text::from(usual))
}

fn endpoint(table: &mut Table<'_>) -> Option<Text> {
    table.get("endpoint").as_ref().and_then(base_url)
}

fn secret(table: &mut Table<'_>, key: &'static str) -> Option<SecretRef> {
    table.get(key).as_ref().and_then(SecretRef::read)
}

fn owned(table: &mut Table<'_>, key: &'static str) -> Option<String> {
    table.text(key).map(str::to_owned)
}

fn aws_settings(table: &mut Table<'_>, provider: Option<&ProviderSpec>) -> Option<AwsSettings> {
    let region = owned(table, "region");
    if region.is_none() {
        table.missing("region", "such as \"us-east-1\"");
    }
    let usual = provider.and_then(|provider| provider.signing_name).map(str::to_owned);
    let service = owned(table, "service").or(usual);
    if service.is_none() {
        table.missing("service", "the service's name in signatures");
    }
    let endpoint = endpoint(table);
    let source = aws_source(table);
    let position = table.findings().position(table.place());
    Some(AwsSettings {
        scope: Scope { region: region?, service: service? },
        source: source?,
        endpoint,
        position,
    })
}

/// Exactly one source; half of one, or two, are reported.
fn aws_source(table: &mut Table<'_>) -> Option<AwsSettingsSource> {
    let words = [("environment", false), ("instance", true)];
    let forced = table.get("source").and_then(|source| source.choice(&words));
    let forced = forced
        .map(|instance| if instance { AwsSettingsSource::Instance } else { AwsSettingsSource::Environment });
    let token = secret(table, "session_token");
    let keys = (secret(table, "access_key_id"), secret(table, "secret_access_key"), token);
    let file = owned(table, "token_file").map(PathBuf::from);
    let role = (owned(table, "role_arn"), file, owned(table, "session_name"));
    match (forced, keys, role) {
        (None, (Some(id), Some(secret), token), (None, None, None)) => {
            Some(AwsSettingsSource::Keys { id, secret, token })
        }
        (None, (None, None, None), (Some(role), Some(token_file), session)) => {
            let session = session.unwrap_or_else(|| SESSION.to_owned());
            Some(AwsSettingsSource::WebIdentity { role, token_file, session })
        }
        (forced, (None, None, None), (None, None, None)) => {
            Some(forced.unwrap_or(AwsSettingsSource::Environment))
        }
        (None, (Some(_), None, _), (None, None, None)) => missing(table, "secret_access_key"),
        (None, (None, ..), (None, None, None)) => missing(table, "access_key_id"),
        (None, (None, None, None), (Some(_), None, _)) => missing(table, "token_file"),
        (None, (None, None, None), (None, ..)) => missing(table, "role_arn"),
        _ => {
            let several = "names several sources: keep source, or access_key_id and secret_access_key, or role_arn \
                           and token_file";
            table.findings().error(table.place(), several);
            None
        }
    }
}

fn missing<T>(table: &Table<'_>, key: &str) -> Option<T> {
    table.missing(key, "it is needed with the other one");
    None
}

fn google_settings(table: &mut Table<'_>) -> GoogleSettings {
    GoogleSettings {
        credentials: secret(table, "credentials"),
        scope: owned(table, "scope").unwrap_or_else(|| google::SCOPE.to_owned()),
        endpoint: endpoint(table),
    }
}

fn entra_settings(table: &mut Table<'_>) -> Option<EntraSettings> {
    let (tenant, client) = (owned(table, "tenant_id"), owned(table, "client_id"));
    let (secret, file) = (secret(table, "client_secret"), owned(table, "token_file").map(PathBuf::from));
    let scope = owned(table, "scope").unwrap_or_else(|| entra::SCOPE.to_owned());
    let endpoint = endpoint(table);
    let source = match (secret, file) {
        (Some(_), Some(_)) => {
            table.findings().error(table.place(), "names both client_secret and token_file: keep one");
            return None;
        }
        (None, None) => {
            if tenant.is_some() {
                let hint = "leave out tenant_id for a managed identity";
                table.findings().error_hint(
                    table.place(),
                    "names neither client_secret nor token_file",
                    hint,
                );
                return None;
            }
            EntraSettingsSource::ManagedIdentity(client)
        }
        (secret, file) => {
            let Some(tenant) = tenant else { return missing(table, "tenant_id") };
            let Some(client) = client else { return missing(table, "client_id") };
            match (secret, file) {
                (Some(secret), _) => EntraSettingsSource::Secret { tenant, client, secret },
                (None, file) => EntraSettingsSource::Federated { tenant, client, token_file: file? },
            }
        }
    };
    Some(EntraSettings { source, scope, endpoint })
}

impl EntraSettingsSource {
    fn resolve(&self, environment: &dyn Environment) -> Result<EntraTokens, Problem> {
        let application = |tenant: &String, client: &String, proof| EntraTokens::Application {
            tenant: tenant.clone(),
            client: client.clone(),
            proof,
        };
        Ok(match self {
            Self::Secret { tenant, client, secret } => {
                application(tenant, client, EntraProof::Secret(secret.resolve_or_report(environment)?))
            }
            Self::Federated { tenant, client, token_file } => {
                application(tenant, client, EntraProof::TokenFile(token_file.clone()))
            }
            Self::ManagedIdentity(client) => EntraTokens::ManagedIdentity(client.clone()),
        })
    }
}

impl AwsSettings {
    fn resolve(&self, environment: &dyn Environment) -> Result<AwsKeys, Problem> {
        match &self.source {
            AwsSettingsSource::Keys { id, secret, token } => Ok(AwsKeys::Fixed {
                id: id.resolve_or_report(environment)?,
                secret: secret.resolve_or_report(environment)?,
                token: token.as_ref().map(|token| token.resolve_or_report(environment)).transpose()?,
            }),
            AwsSettingsSource::WebIdentity { role, token_file, session } => {
                Ok(self.web_identity(role.clone(), session.clone(), token_file.clone()))
            }
            AwsSettingsSource::Instance => Ok(self.instance()),
            AwsSettingsSource::Environment => self.keys_of_environment(environment),
        }
    }

    fn instance(&self) -> AwsKeys {
        AwsKeys::Instance(or(self.endpoint.as_ref(), aws::METADATA_URL))
    }

    fn web_identity(&self, role: String, session: String, token_file: PathBuf) -> AwsKeys {
        let region = &self.scope.region;
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = or(self.endpoint.as_ref(), &format!("https://sts.{region}.{domain}"));
        AwsKeys::WebIdentity { endpoint, role, session, token_file }
    }

    /// In the order of AWS's own clients (botocore 1.44.8 `botocore/credentials.py`): keys, a web identity, a container,
    /// the machine.
    fn keys_of_environment(&self, environment: &dyn Environment) -> Result<AwsKeys, Problem> {
        let var = |name: &str| environment.var(name).filter(|value| !value.is_empty());
        let named = |name: &str| {
            let source = SecretSource::Env(name.to_owned());
            let reference = SecretRef { source, key: "auth".to_owned(), position: self.position };
            reference.resolve_or_report(environment)
        };
        if var("AWS_ACCESS_KEY_ID").is_some() {
            let token = var("AWS_SESSION_TOKEN").map(|_| named("AWS_SESSION_TOKEN")).transpose()?;
            let (id, secret) = (named("AWS_ACCESS_KEY_ID")?, named("AWS_SECRET_ACCESS_KEY")?);
            return Ok(AwsKeys::Fixed { id, secret, token });
        }
        if let (Some(file), Some(role)) = (var("AWS_WEB_IDENTITY_TOKEN_FILE"), var("AWS_ROLE_ARN")) {
            let session = var("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION.to_owned());
            return Ok(self.web_identity(role, session, PathBuf::from(file)));
        }
        let relative =
            var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{}{path}", aws::CONTAINER_URL));
        let Some(url) = relative.or_else(|| var("AWS_CONTAINER_CREDENTIALS_FULL_URI")) else {
            return Ok(self.instance());
        };
        let file = var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(|file| SecretSource::File(file.into()));
        let token = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
        let authorization = file.or_else(|| var(token).map(|_| SecretSource::Env(token.to_owned())));
        Ok(AwsKeys::Container { url: Text::from(url), authorization })
    }
}

#[cfg(test)]
mod tests;
