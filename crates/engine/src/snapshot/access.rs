//! From an account's configured credentials to what authorises its calls.
//!
//! A cloud's tokens live on over a reload that does not change what they are obtained with. Look first at [`cloud`].

use std::sync::Arc;

use trunkline_domain::{Secret, Text};
use trunkline_upstream::auth::access::Access;
use trunkline_upstream::auth::aws::AwsSource;
use trunkline_upstream::auth::entra::{EntraSource, Proof};
use trunkline_upstream::auth::google::{Credentials, GoogleSource};
use trunkline_upstream::auth::lease::{Lease, Pace, Source, Surroundings};
use trunkline_upstream::auth::oauth::ReadSecret;
use trunkline_upstream::auth::sigv4::{Keys, Scope};
use trunkline_upstream::origin::Origin;

use super::{BuildError, Parts};
use crate::clock::wall;
use crate::config::cloud::{AwsKeys, CloudAccess, EntraProof, EntraTokens};
use crate::config::secrets::{SecretRef, SecretSource};
use crate::config::{Environment, Position};

/// What a cloud's tokens depend on: while it stays, they stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRoots {
    /// The credentials.
    pub access: CloudAccess,
    /// The proxy towards the services that issue tokens.
    pub proxy: Option<Secret<String>>,
    /// What is reached without it.
    pub no_proxy: Vec<Text>,
    /// Further certificate authorities.
    pub ca_bundle: Option<std::path::PathBuf>,
}

/// What authorises the calls of an account with a cloud's credentials. `public` gives an origin on the internet the
/// account's proxy and certificate authorities; metadata services have neither.
pub(super) fn cloud(
    parts: &Parts<'_>,
    account: &Text,
    access: &CloudAccess,
    public: &dyn Fn(Origin) -> Origin,
) -> Result<Access, BuildError> {
    let build = Build { parts, account, public };
    match access {
        CloudAccess::Aws(scope, keys) => build.aws(scope, keys),
        CloudAccess::Google { credentials, scope, endpoint } => {
            build.google(credentials.as_ref(), scope, endpoint)
        }
        CloudAccess::Entra { source, scope, endpoint } => build.entra(source, scope, endpoint),
    }
}

struct Build<'a> {
    parts: &'a Parts<'a>,
    account: &'a Text,
    public: &'a dyn Fn(Origin) -> Origin,
}

impl Build<'_> {
    fn failed(&self, reason: impl std::fmt::Display) -> BuildError {
        BuildError::Cloud { account: self.account.clone(), reason: reason.to_string() }
    }

    fn metadata(&self, url: &str) -> Result<Arc<Origin>, BuildError> {
        Origin::parse(url).map(Arc::new).map_err(|error| self.failed(format_args!("endpoint: {error}")))
    }

    fn service(&self, url: &str) -> Result<Arc<Origin>, BuildError> {
        let origin = Origin::parse(url).map_err(|error| self.failed(format_args!("endpoint: {error}")))?;
        Ok(Arc::new((self.public)(origin)))
    }

    fn lease<S: Source>(&self, source: S) -> Lease<S::Value> {
        let around = Surroundings {
            way: Arc::clone(&self.parts.network),
            now: Arc::new(wall),
            chance: Arc::new(rand::random::<f64>),
            pace: Pace::default(),
        };
        Lease::new(source, around)
    }

    fn read(&self, source: SecretSource) -> ReadSecret {
        let environment: Arc<dyn Environment + Send + Sync> = Arc::clone(self.parts.environment);
        let reference = SecretRef { source, key: "auth".to_owned(), position: Position::START };
        Arc::new(move || reference.resolve(&*environment).map_err(|error| error.to_string()))
    }

    fn aws(&self, scope: &Scope, keys: &AwsKeys) -> Result<Access, BuildError> {
        let lease = match keys {
            AwsKeys::Fixed { id, secret, token } => Lease::fixed(Keys {
                access_key_id: id.expose().clone(),
                secret_access_key: secret.clone(),
                session_token: token.clone(),
            }),
            AwsKeys::Instance(url) => self.lease(AwsSource::Instance { endpoint: self.metadata(url)? }),
            AwsKeys::Container { url, authorization } => self.lease(AwsSource::Container {
                endpoint: self.metadata(url)?,
                authorization: authorization.clone().map(|source| self.read(source)),
            }),
            AwsKeys::WebIdentity { endpoint, role, session, token_file } => {
                self.lease(AwsSource::WebIdentity {
                    endpoint: self.service(endpoint)?,
                    role: role.clone(),
                    session: session.clone(),
                    token: self.read(SecretSource::File(token_file.clone())),
                })
            }
        };
        Ok(Access::Signature(lease, scope.clone()))
    }

    fn google(
        &self,
        credentials: Option<&Secret<String>>,
        scope: &str,
        endpoint: &str,
    ) -> Result<Access, BuildError> {
        let source = match credentials {
            Some(text) => GoogleSource::Exchange {
                endpoint: self.service(endpoint)?,
                credentials: Credentials::parse(text.expose())
                    .map_err(|error| self.failed(format_args!("credentials: the file {error}")))?,
                scope: scope.to_owned(),
            },
            None => GoogleSource::Metadata { endpoint: self.metadata(endpoint)? },
        };
        Ok(Access::Token(self.lease(source)))
    }

    fn entra(&self, source: &EntraTokens, scope: &str, endpoint: &str) -> Result<Access, BuildError> {
        let scope = scope.to_owned();
        let source = match source {
            EntraTokens::Application { tenant, client, proof } => EntraSource::Application {
                endpoint: self.service(endpoint)?,
                tenant: tenant.clone(),
                client_id: client.clone(),
                proof: match proof {
                    EntraProof::Secret(secret) => Proof::Secret(secret.clone()),
                    EntraProof::TokenFile(file) => {
                        Proof::Federated(self.read(SecretSource::File(file.clone())))
                    }
                },
                scope,
            },
            EntraTokens::ManagedIdentity(client_id) => EntraSource::ManagedIdentity {
                endpoint: self.metadata(endpoint)?,
                client_id: client_id.clone(),
                scope,
            },
        };
        Ok(Access::Token(self.lease(source)))
    }
}
