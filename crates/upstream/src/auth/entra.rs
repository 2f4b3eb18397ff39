//! Microsoft Entra's access tokens: for an application by its secret or by a federated token, and for a managed identity
//! from the metadata service of the virtual machine. The managed identity of App Service, which has an address of its
//! own, is not spoken. Look first at [`EntraSource`].
//!
//! Read in msal 1.39.0 `msal/managed_identity.py`, azure-identity 1.27.0 `azure/identity/_credentials/imds.py` and
//! `workload_identity.py`, and at
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use trunkline_domain::Secret;

use super::ask::Ask;
use super::encode::{form, percent};
use super::lease::{AccessError, Issued, Obtain, Source, Surroundings};
use super::oauth::{ReadSecret, issued};
use crate::origin::Origin;

/// The public cloud's authority; a national cloud has another.
pub const AUTHORITY_URL: &str = "https://login.microsoftonline.com";
/// The metadata service of a virtual machine.
pub const METADATA_URL: &str = "http://169.254.169.254";
/// What a token is for: Azure OpenAI and the other services of Azure AI.
pub const SCOPE: &str = "https://cognitiveservices.azure.com/.default";

const METADATA_PATH: &str = "/metadata/identity/oauth2/token";
const METADATA_VERSION: &str = "2018-02-01";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where tokens come from.
#[derive(Debug)]
pub enum EntraSource {
    /// From the authority, for an application.
    Application {
        /// The authority.
        endpoint: Arc<Origin>,
        /// The directory the application is in: an id or a domain.
        tenant: String,
        /// The application.
        client_id: String,
        /// How it proves itself.
        proof: Proof,
        /// What the tokens are for; ends in `/.default`.
        scope: String,
    },
    /// From the metadata service, for a managed identity of this machine.
    ManagedIdentity {
        /// The metadata service.
        endpoint: Arc<Origin>,
        /// Which of several; without, the system's own or the only one.
        client_id: Option<String>,
        /// What the tokens are for; ends in `/.default`.
        scope: String,
    },
}

/// How an application proves itself.
pub enum Proof {
    /// By a secret.
    Secret(Secret<String>),
    /// By a token of another issuer it trusts, read anew for every exchange: Kubernetes replaces it.
    Federated(ReadSecret),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Federated(_) => "Federated",
        })
    }
}

impl Source for EntraSource {
    type Value = HeaderValue;

    fn endpoint(&self) -> &Origin {
        match self {
            Self::Application { endpoint, .. } | Self::ManagedIdentity { endpoint, .. } => endpoint,
        }
    }

    fn obtain<'a>(&'a self, around: &'a Surroundings) -> Obtain<'a, HeaderValue> {
        Box::pin(async move {
            match self {
                Self::Application { endpoint, tenant, client_id, proof, scope } => {
                    let path = format!("/{}/oauth2/v2.0/token", percent(tenant, b""));
                    application(Ask::new(around, endpoint, path), around, client_id, proof, scope).await
                }
                Self::ManagedIdentity { endpoint, client_id, scope } => {
                    let resource = scope.strip_suffix("/.default").unwrap_or(scope);
                    let mut fields = vec![("api-version", METADATA_VERSION), ("resource", resource)];
                    fields.extend(client_id.as_deref().map(|id| ("client_id", id)));
                    let path = format!("{METADATA_PATH}?{}", form(&fields).as_str());
                    let asked = (around.now)();
                    let ask = Ask::new(around, endpoint, path).header("metadata", "true");
                    issued(&ask.get().await?, asked)
                }
            }
        })
    }
}

async fn application(
    ask: Ask<'_>,
    around: &Surroundings,
    client_id: &str,
    proof: &Proof,
    scope: &str,
) -> Result<Issued<HeaderValue>, AccessError> {
    let asked = (around.now)();
    let mut fields = vec![("grant_type", "client_credentials"), ("client_id", client_id), ("scope", scope)];
    let secret = match proof {
        Proof::Secret(secret) => secret.clone(),
        Proof::Federated(read) => read().map_err(|why| ask.failed(why))?,
    };
    match proof {
        Proof::Secret(_) => fields.push(("client_secret", secret.expose())),
        Proof::Federated(_) => {
            fields.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", secret.expose())]);
        }
    }
    issued(&ask.hiding(&secret).post(&fields).await?, asked)
}
