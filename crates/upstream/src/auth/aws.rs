//! AWS keys: of the machine's role (instance metadata, version 2 only), of a pod or task (container credentials), and of
//! a role assumed with a web identity (STS). Profiles and SSO are not read. Look first at [`AwsSource`].
//!
//! Read in botocore 1.44.8 `botocore/utils.py` (`InstanceMetadataFetcher`, `ContainerMetadataFetcher`),
//! `botocore/credentials.py` (`ContainerProvider`, `AssumeRoleWithWebIdentityProvider`),
//! `botocore/data/sts/2011-06-15`, and at
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use trunkline_domain::{Secret, UnixMs};

use super::ask::{Answer, Ask};
use super::encode::percent;
use super::lease::{AccessError, Issued, Obtain, Source, Surroundings};
use super::oauth::ReadSecret;
use super::sigv4::Keys;
use crate::origin::Origin;

/// The instance metadata service.
pub const METADATA_URL: &str = "http://169.254.169.254";
/// What `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is relative to.
pub const CONTAINER_URL: &str = "http://169.254.170.2";

const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
/// How long the session with the metadata service lasts, in seconds: it is used at once.
const SESSION_LIFE_S: &str = "60";
/// The longest name of a role believed.
const ROLE_MAX: usize = 128;

/// Where keys come from.
pub enum AwsSource {
    /// The instance metadata service.
    Instance {
        /// Where it is.
        endpoint: Arc<Origin>,
    },
    /// The container credentials endpoint of ECS or of EKS's pod identity.
    Container {
        /// The whole address.
        endpoint: Arc<Origin>,
        /// What authorises asking, read anew each time.
        authorization: Option<ReadSecret>,
    },
    /// STS, in exchange for a token of an identity provider.
    WebIdentity {
        /// STS, best that of the region.
        endpoint: Arc<Origin>,
        /// The role's ARN.
        role: String,
        /// What the session is called in AWS's logs.
        session: String,
        /// The identity provider's token, read anew each time: its owner replaces it.
        token: ReadSecret,
    },
}

impl fmt::Debug for AwsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance { endpoint } => write!(f, "Instance({endpoint})"),
            Self::Container { endpoint, .. } => write!(f, "Container({endpoint})"),
            Self::WebIdentity { endpoint, role, .. } => write!(f, "WebIdentity({endpoint}, {role})"),
        }
    }
}

impl Source for AwsSource {
    type Value = Keys;

    fn endpoint(&self) -> &Origin {
        match self {
            Self::Instance { endpoint }
            | Self::Container { endpoint, .. }
            | Self::WebIdentity { endpoint, .. } => endpoint,
        }
    }

    fn obtain<'a>(&'a self, around: &'a Surroundings) -> Obtain<'a, Keys> {
        Box::pin(async move {
            match self {
                Self::Instance { endpoint } => instance(around, endpoint).await,
                Self::Container { endpoint, authorization } => {
                    container(around, endpoint, authorization.as_ref()).await
                }
                Self::WebIdentity { endpoint, role, session, token } => {
                    let ask = Ask::new(around, endpoint, "/");
                    let token = token().map_err(|why| ask.failed(why))?;
                    let fields = [
                        ("Action", "AssumeRoleWithWebIdentity"),
                        ("Version", "2011-06-15"),
                        ("RoleArn", role),
                        ("RoleSessionName", session),
                        ("WebIdentityToken", token.expose()),
                    ];
                    assumed(&ask.hiding(&token).post(&fields).await?)
                }
            }
        })
    }
}

async fn instance(around: &Surroundings, endpoint: &Arc<Origin>) -> Result<Issued<Keys>, AccessError> {
    let session = Ask::new(around, endpoint, "/latest/api/token")
        .header("x-aws-ec2-metadata-token-ttl-seconds", SESSION_LIFE_S)
        .put()
        .await?;
    if session.status != 200 {
        return Err(session.refused(None));
    }
    let session = Secret::new(session.text()?.to_owned());
    let ask =
        |path: String| Ask::new(around, endpoint, path).secret_header("x-aws-ec2-metadata-token", &session);
    let roles = ask(ROLES_PATH.to_owned())?.get().await?;
    if roles.status == 404 {
        return Err(roles.refused(Some("the instance has no role")));
    }
    if roles.status != 200 {
        return Err(roles.refused(None));
    }
    let role = roles.text()?.lines().next().unwrap_or_default().trim();
    if role.is_empty() || role.len() > ROLE_MAX {
        return Err(roles.failed("its answer names no role"));
    }
    let answer = ask(format!("{ROLES_PATH}{}", percent(role, b"")))?.get().await?;
    documented(&answer)
}

async fn container(
    around: &Surroundings,
    endpoint: &Arc<Origin>,
    authorization: Option<&ReadSecret>,
) -> Result<Issued<Keys>, AccessError> {
    let mut ask = Ask::new(around, endpoint, "").header("accept", "application/json");
    if let Some(read) = authorization {
        let secret = read().map_err(|why| ask.failed(why))?;
        ask = ask.secret_header("authorization", &secret)?;
    }
    documented(&ask.get().await?)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

/// A refusal, which comes with status 200 as well.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    #[serde(alias = "code")]
    code: String,
    #[serde(default, alias = "message")]
    message: String,
}

/// The document of the instance metadata service and of the container endpoint.
fn documented(answer: &Answer) -> Result<Issued<Keys>, AccessError> {
    if let Ok(document) = serde_json::from_slice::<Document>(&answer.body)
        && answer.status == 200
    {
        let Document { access_key_id, secret_access_key, token, expiration } = document;
        return issued(answer, access_key_id, secret_access_key, token, &expiration);
    }
    match serde_json::from_slice::<Refusal>(&answer.body) {
        Ok(Refusal { code, message }) => Err(answer.refused(Some(&format!("{code}: {message}")))),
        Err(_) if answer.status == 200 => Err(answer.failed("its answer is not as documented")),
        Err(_) => Err(answer.refused(None)),
    }
}

/// STS's answer, which is XML of one known form: no value in it is ever escaped.
fn assumed(answer: &Answer) -> Result<Issued<Keys>, AccessError> {
    let text = answer.text()?;
    if answer.status != 200 {
        let words = element(text, "Code").zip(element(text, "Message"));
        return Err(answer.refused(words.map(|(code, message)| format!("{code}: {message}")).as_deref()));
    }
    let field = |name| {
        element(text, name)
            .map(str::to_owned)
            .ok_or_else(|| answer.failed(format_args!("its answer has no {name}")))
    };
    let (id, secret) = (field("AccessKeyId")?, field("SecretAccessKey")?);
    issued(answer, id, secret, field("SessionToken")?, &field("Expiration")?)
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value.trim())
}

fn issued(
    answer: &Answer,
    access_key_id: String,
    secret: String,
    token: String,
    expiration: &str,
) -> Result<Issued<Keys>, AccessError> {
    let value = Keys {
        access_key_id,
        secret_access_key: Secret::new(secret),
        session_token: Some(Secret::new(token)),
    };
    let expires: jiff::Timestamp =
        expiration.parse().map_err(|_| answer.failed("its expiration is no point in time"))?;
    Ok(Issued { value, expires: UnixMs::from(expires) })
}
