//! Asking again for an answer that a provider keeps: who, whose, which account, and what it says. It costs nothing and
//! leaves no row; it is a request by the key's `rpm`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use trunkline_domain::access::VirtualKey;
use trunkline_domain::attempt::{Cause, CauseClass};
use trunkline_domain::error::UpstreamAnswer;
use trunkline_domain::{Dialect, Error, ErrorKind, Text};
use trunkline_providers::adapter::{ErrorAnswer, versioned};
use trunkline_providers::classify::classify;
use trunkline_providers::spec::Api;
use trunkline_upstream::auth::access::Grant;
use trunkline_upstream::fetch::{Fetch, FetchResponse, fetch};
use trunkline_wire::codec::{Codec, FieldError};
use trunkline_wire::codec_for;
use trunkline_wire::headers::{Direction, cross};
use trunkline_wire::responses::kept::Recall;
use trunkline_wire::routing::Priority;

use super::ids::Kept;
use super::{gone, not_found};
use crate::admit::take_rate;
use crate::authenticate::authenticate;
use crate::core::Core;
use crate::door::{Ask, Tenant};
use crate::serve::refuse_while_draining;
use crate::snapshot::{Account, Credential, Snapshot};

/// How long a provider may take: it only looks something up.
const DEADLINE_MAX: Duration = Duration::from_mins(1);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One question about a kept answer. There is no body: nothing in it could be a prompt.
#[derive(Debug)]
pub struct RecallAsk {
    /// The dialect it is asked in.
    pub dialect: Dialect,
    /// What is asked.
    pub recall: Recall,
    /// The answer's id, as the caller knows it.
    pub id: Text,
    /// The query, as written.
    pub query: Option<String>,
    /// Its headers, credentials included.
    pub headers: HeaderMap,
}

/// What the provider says.
#[derive(Debug)]
pub struct Recalled {
    /// Status.
    pub status: u16,
    /// Headers that may cross.
    pub headers: HeaderMap,
    /// Body, with ids the caller knows.
    pub body: Bytes,
}

/// Asks the account that keeps an answer. The same checks in the same order as for a request to a model: who asks, its
/// turn at the door, whether the answer is its own, its scope, its limits.
pub(crate) async fn recall(core: &Arc<Core>, ask: RecallAsk) -> Result<Recalled, Error> {
    let RecallAsk { dialect, recall, id, query, headers } = ask;
    refuse_while_draining(core)?;
    let snapshot = core.snapshots.current();
    let key = authenticate(&core.keys, &headers, core.clock.now()).await?;
    let tenant = Tenant::of(&key.facts);
    // It has no body, and no tokens are counted for it.
    let turn = Ask { tenant, cost: 1, priority: Priority::default(), deadline: None };
    let _door = core.door.enter(turn).await.map_err(Error::from)?;
    let kept = core.kept.open(tenant, &id).ok_or_else(|| not_found(&id))?;
    let (account, api) = keeper(&snapshot, &kept, dialect)?;
    in_scope(&snapshot, &key.facts, &kept)?;
    let refused = |FieldError { field, message }| Error::new(ErrorKind::InvalidRequest, message).about(field);
    let path = recall.path(api.path, &kept.id, query.as_deref()).map_err(refused)?;
    let path = match &account.api_version {
        Some(version) => versioned(&path, version),
        None => path,
    };
    let _rate = take_rate(core, &key, 0).await?;
    let response = send(&snapshot, account, recall, path).await?;
    let codec = codec_for(dialect);
    if !(200..300).contains(&response.status) {
        return Err(refusal(core, codec, account, (&kept, &id), &response));
    }
    let rename = |upstream: &str| core.kept.wrap(tenant, &kept.account, upstream);
    let body = codec.rename_kept(&response.body, &rename).unwrap_or(response.body);
    let mut crossing = HeaderMap::new();
    cross(dialect, Direction::Response, &response.headers, &mut crossing);
    Ok(Recalled { status: response.status, headers: crossing, body })
}

/// The account, and where answers are kept there.
fn keeper<'a>(
    snapshot: &'a Snapshot,
    kept: &Kept,
    dialect: Dialect,
) -> Result<(&'a Account, &'static Api), Error> {
    let account = snapshot.accounts.get(&kept.account).filter(|account| account.provider.keeps_responses);
    let spoken = |account: &'a Arc<Account>| {
        let api = account.provider.api(codec_for(dialect).operation(), dialect)?;
        Some((&**account, api))
    };
    account.and_then(spoken).ok_or_else(|| gone(&kept.account))
}

/// A key sees what is kept at an account of which it may use a model.
fn in_scope(snapshot: &Snapshot, key: &VirtualKey, kept: &Kept) -> Result<(), Error> {
    let covered = key.models.is_empty()
        || snapshot.offers.deployments().iter().any(|deployment| {
            let names = [deployment.model(), &deployment.label];
            deployment.account == kept.account
                && key.models.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)))
        });
    if covered {
        return Ok(());
    }
    let message = "this key may use no model of the account that keeps that response";
    Err(Error::new(ErrorKind::Forbidden, message))
}

async fn send(
    snapshot: &Snapshot,
    account: &Account,
    recall: Recall,
    path: String,
) -> Result<FetchResponse, Error> {
    let Some(credential) = account.credentials.first() else { return Err(gone(&account.name)) };
    let authorization = authorization(credential).await?;
    let total = account.timeouts.over(snapshot.limits.deadlines).total;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, JSON);
    if recall.method() == Method::POST {
        // Without a body too, as the official clients do.
        headers.insert(CONTENT_TYPE, JSON);
    }
    let wanted = Fetch {
        method: recall.method(),
        origin: Arc::clone(&credential.origin),
        path,
        headers,
        authorization,
        deadline: total.min(DEADLINE_MAX),
        body_max: snapshot.limits.answer_bytes_max,
    };
    fetch(&*account.dispatch, wanted).await.map_err(|error| unreached(error.cause).because(error))
}

/// What authorises the call. No provider that keeps answers has its calls signed.
async fn authorization(credential: &Credential) -> Result<Option<(http::HeaderName, HeaderValue)>, Error> {
    match credential.access.grant().await {
        Ok(Grant::Header(name, value)) => Ok(Some((name, value))),
        Ok(Grant::Open | Grant::Signature(..)) => Ok(None),
        Err(error) => Err(unreached(error.cause()).because(error)),
    }
}

fn unreached(cause: Cause) -> Error {
    let message = format!("the account that keeps that response did not answer: {}", cause.as_str());
    Error::new(cause.error_kind(), message)
}

/// What the provider refuses. Its words are the caller's where the caller can do something about it, with the id the
/// caller knows.
fn refusal(
    core: &Core,
    codec: &dyn Codec,
    account: &Account,
    (kept, id): (&Kept, &str),
    response: &FetchResponse,
) -> Error {
    let words = codec.read_error(&response.body);
    let answer = ErrorAnswer {
        status: response.status,
        headers: &response.headers,
        words: words.as_ref(),
        now: core.clock.now(),
    };
    let error = classify(account.provider, &answer).error;
    let said = error.message.as_deref().map(|message| message.replace(&*kept.id, id));
    let missing = response.status == 404;
    if !missing && error.cause.class() != CauseClass::Caller {
        return unreached(error.cause);
    }
    let message = said.unwrap_or_else(|| "the provider does not have that response".to_owned());
    let kind = if missing { ErrorKind::NotFound } else { ErrorKind::UpstreamRejected };
    let mut public = Error::new(kind, message);
    public.upstream =
        Some(UpstreamAnswer { status: response.status, code: error.code.as_deref().map(str::to_owned) });
    public
}
