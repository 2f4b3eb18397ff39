//! May they: reads the body, skims it, checks the key's rate limits, and hands out the guard that records the request
//! whatever happens to it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use trunkline_domain::id::RequestId;
use trunkline_domain::ledger::{Payer, RequestRecord};
use trunkline_domain::plan::{AttemptLimits, RoutePlan, Step, Timeouts};
use trunkline_domain::{Error, ErrorKind, ModelName, Operation, Text};
use trunkline_ledger::guard::RequestGuard;
use trunkline_ledger::journal::Ticket;
use trunkline_ledger::window::{RatePermit, RateRefusal};
use trunkline_wire::codec::{Codec, FieldError, Skim};
use trunkline_wire::codec_for;
use trunkline_wire::envelope::Envelope;
use trunkline_wire::gemini::path::Framing;
use trunkline_wire::headers::{Direction, cross};
use trunkline_wire::recast::LossPolicy;
use trunkline_wire::routing::Wishes;

use crate::core::Core;
use crate::deliver::Refusal;
use crate::door::Permit;
use crate::inbound::{Body, Inbound, PathFacts, Purpose};
use crate::kept;
use crate::kept::ids::Kept;
use crate::keys::{KeyRecord, Keys};
use crate::meter::{prompt_estimate, text_tokens};
use crate::request::{Outgoing, ReceiptWish, Request, Trail};
use crate::snapshot::{Delivery, JSON_SCHEMA_RETRIES, Snapshot};
use crate::succession::NoGrant;
use crate::validate::Check;

/// The longest text taken over from a request into rows: `user`, `session_id`, a tag, a client's request id.
const LABEL_BYTES_MAX: usize = 256;
/// The most tags of a request.
const TAGS_MAX: usize = 16;
/// Output a request without a cap is expected to have, for the tokens-per-minute window.
const OUTPUT_EXPECTED: u64 = 1_024;
/// Bytes a body of unannounced length is expected to have: enough that leaving the length out is no advantage.
const BODY_EXPECTED: u64 = 64 << 10;
/// How long a request waits for one of the places of requests under way.
const TICKET_DEADLINE: Duration = Duration::from_secs(5);

/// A request that was let in.
pub(crate) struct Entered {
    pub(crate) arrived: Instant,
    pub(crate) door: Permit,
    /// What its headers ask for.
    pub(crate) wishes: Wishes,
}

/// A request that may go on.
pub(crate) struct Admitted {
    pub(crate) request: Request,
    pub(crate) outgoing: Outgoing,
}

/// What a body says, or why it cannot be read; the record is written either way.
struct Read {
    envelope: Envelope,
    skim: Skim,
    body: Body,
}

/// What a body refers to and asks for beyond what is skimmed.
struct Found {
    /// The answer it goes on from.
    previous: Option<Kept>,
    /// What its answer is held against.
    check: Option<Arc<Check>>,
}

impl Found {
    fn of(
        core: &Core,
        key: &KeyRecord,
        language: (&dyn Codec, Operation),
        Read { envelope, skim, .. }: &Read,
        delivery: &Delivery,
    ) -> Result<Self, Error> {
        let previous = kept::previous(core, key, skim)?;
        let check = Check::of(language, (envelope, skim), delivery)?.map(Arc::new);
        Ok(Self { previous, check })
    }
}

pub(crate) async fn admit(
    core: &Arc<Core>,
    snapshot: Arc<Snapshot>,
    key: Arc<KeyRecord>,
    id: RequestId,
    inbound: Inbound,
    entered: Entered,
) -> Result<Admitted, Refusal> {
    let Inbound { origin, dialect, path, purpose, headers, body } = inbound;
    let Entered { arrived, mut door, wishes } = entered;
    let codec = codec_for(dialect);
    let operation = match purpose {
        Purpose::Answer => codec.operation(),
        Purpose::Count => Operation::CountTokens,
    };
    let ticket = ticket(core).await?;
    let arrived_at = core.clock.now();
    let mut guard =
        RequestGuard::new(ticket, draft(operation, &key, id, &headers, arrived_at), core.clock.clone());
    let read = match read(codec, path.as_ref(), wishes, body.await) {
        Ok(read) => read,
        Err(error) => return Err(refuse_early(core, operation, guard, error)),
    };
    let payer = payer(&key, &read.skim);
    if let Some(record) = guard.record_mut() {
        record.payer = Some(payer.clone());
        record.streamed = read.skim.stream;
        record.model_asked = ModelName(cut(&read.skim.model));
    }
    let delivery = delivery(&snapshot, &read.skim);
    let found = Found::of(core, &key, (codec, operation), &read, &delivery);
    let Found { previous, check } = match found {
        Ok(found) => found,
        Err(error) => return Err(refuse_early(core, operation, guard, error)),
    };
    let expected = expected_tokens(operation, &read.skim);
    door.correct(expected);
    let permit = match take_rate(core, &key, expected).await {
        Ok(permit) => permit,
        Err(error) => return Err(refuse_early(core, operation, guard, error)),
    };
    let receipt = receipt_wish(&headers);
    let outgoing = Outgoing {
        envelope: read.envelope,
        decoded: OnceLock::new(),
        headers: crossing(codec, &headers),
        plan: undecided(&snapshot),
        survey: None,
        memory: read.body.memory,
        watch: None,
        rest: None,
        check: check.clone(),
    };
    let request = Request {
        core: core.clone(),
        snapshot,
        id,
        origin,
        codec,
        operation,
        key,
        payer,
        skim: read.skim,
        previous,
        guard,
        permit,
        door,
        arrived_at,
        arrived,
        delivery,
        receipt,
        framing: path.and_then(|path| path.stream).unwrap_or(Framing::Sse),
        trail: Trail { validation: check.as_deref().map(Check::told), ..Trail::default() },
        kept: None,
    };
    Ok(Admitted { request, outgoing })
}

/// How the answer is to come: as the route says, and the request itself.
pub(crate) fn delivery(snapshot: &Snapshot, skim: &Skim) -> Delivery {
    let mut delivery = snapshot.delivery(&skim.model);
    if skim.wishes.strict == Some(true) {
        delivery.losses = LossPolicy::STRICT;
    }
    delivery.resume = skim.wishes.resume.unwrap_or(delivery.resume);
    delivery.validation = match skim.wishes.json_schema_validation {
        Some(false) => None,
        Some(true) => delivery.validation.or(Some(JSON_SCHEMA_RETRIES)),
        None => delivery.validation,
    };
    delivery
}

fn receipt_wish(headers: &HeaderMap) -> ReceiptWish {
    match headers.get("x-trunkline-receipt").map(http::HeaderValue::as_bytes) {
        Some(b"full") => ReceiptWish::Full,
        _ => ReceiptWish::None,
    }
}

/// A plan nobody has made yet.
fn undecided(snapshot: &Snapshot) -> RoutePlan {
    RoutePlan {
        root: Step::InOrder { steps: Vec::new(), on: trunkline_domain::plan::CauseSet::default() },
        limits: AttemptLimits {
            attempts_max: snapshot.limits.attempts_max,
            total: snapshot.limits.deadlines.total,
            content_budget: None,
            timeouts: Timeouts::default(),
        },
        excluded: Vec::new(),
        affinity: None,
        world_version: 0,
        seed: 0,
    }
}

/// A place in the journal: waiting for one is back-pressure at the door, within reason.
async fn ticket(core: &Core) -> Result<Ticket, Error> {
    match tokio::time::timeout(TICKET_DEADLINE, core.journal.ticket()).await {
        Ok(Ok(ticket)) => Ok(ticket),
        Ok(Err(full)) => {
            let message = "the journal has no room, so nothing is dispatched that could not be recorded: free disk \
                           space or wait until the store has caught up";
            Err(Error::new(ErrorKind::JournalFull, message).because(full))
        }
        Err(_) => {
            let message = "too many requests are under way at this gateway: try again soon";
            Err(Error::new(ErrorKind::Overloaded, message).retry_after(Duration::from_secs(1)))
        }
    }
}

fn draft(
    operation: Operation,
    key: &KeyRecord,
    id: RequestId,
    headers: &HeaderMap,
    arrived_at: trunkline_domain::UnixMs,
) -> RequestRecord {
    let client_request_id = headers.get("x-request-id").and_then(|value| value.to_str().ok()).map(cut);
    RequestRecord {
        id,
        payer: Some(payer(key, &Skim::default())),
        operation,
        streamed: false,
        model_asked: ModelName::from(""),
        client_request_id,
        arrived_at,
        total_ms: 0,
        attempts: 0,
        final_attempt: None,
        status: 0,
        error: None,
        losses: Vec::new(),
        seams: Vec::new(),
    }
}

fn read(
    codec: &'static dyn Codec,
    path: Option<&PathFacts>,
    said: Wishes,
    body: Result<Body, Error>,
) -> Result<Read, Error> {
    let body = body?;
    let envelope = Envelope::parse(body.bytes.clone()).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("the request body cannot be read: {error}"))
    })?;
    let skim = skim(codec, &envelope, path, said)?;
    if skim.model.is_empty() {
        let message = "the request names no model: set `model`, for example \"sandbox/echo-small\"; GET /v1/models lists all";
        return Err(Error::new(ErrorKind::InvalidRequest, message).about("model"));
    }
    Ok(Read { envelope, skim, body })
}

/// What a caller asks of the gateway by headers.
pub(crate) fn header_wishes(headers: &HeaderMap) -> Result<Wishes, Error> {
    Wishes::of_headers(headers).map_err(refused)
}

fn refused(FieldError { field, message }: FieldError) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).about(field)
}

/// The facts of a body, of the path above it, and of what the headers ask for where the body does not.
pub(crate) fn skim(
    codec: &dyn Codec,
    envelope: &Envelope,
    path: Option<&PathFacts>,
    said: Wishes,
) -> Result<Skim, Error> {
    let mut skim = codec.skim(envelope).map_err(refused)?;
    skim.wishes = skim.wishes.or(said);
    if let Some(PathFacts { model, stream }) = path {
        skim.model = model.clone();
        skim.stream = stream.is_some();
    }
    Ok(skim)
}

fn refuse_early(core: &Core, operation: Operation, guard: RequestGuard, error: Error) -> Refusal {
    core.metrics.request_ended(operation, error.status(), Some(error.kind));
    guard.finish(error.status(), Some(Text::from(error.kind.facts().code)), None);
    Refusal::from(error)
}

/// Tokens a request is likely to take, prompt and output.
fn expected_tokens(operation: Operation, skim: &Skim) -> u64 {
    if operation == Operation::CountTokens {
        return 0;
    }
    let output = skim.output_max.as_ref().map_or(OUTPUT_EXPECTED, |max| max.tokens);
    prompt_estimate(skim).saturating_add(output.saturating_mul(u64::from(skim.choices)))
}

/// The same of a request whose body is still to be read, by the length it is announced with.
pub(crate) fn announced_tokens(headers: &HeaderMap) -> u64 {
    let length =
        headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    text_tokens(length.unwrap_or(BODY_EXPECTED)).saturating_add(OUTPUT_EXPECTED)
}

pub(crate) async fn take_rate(core: &Core, key: &KeyRecord, tokens: u64) -> Result<RatePermit, Error> {
    let permit = Keys::count(key, core.clock.monotonic_ms(), tokens).await;
    permit.map_err(|none| match none {
        NoGrant::Refused(refusal) => over_limit(&refusal),
        NoGrant::Away => uncounted(),
    })
}

/// This process was succeeded, and its successor does not answer: nothing more can be counted here.
pub(crate) fn uncounted() -> Error {
    let message =
        "the gateway is being replaced, and its successor does not answer yet: send the request again";
    Error::new(ErrorKind::ShuttingDown, message).retry_after(Duration::from_secs(1))
}

fn over_limit(refusal: &RateRefusal) -> Error {
    let RateRefusal { which, limit, retry_after_ms, .. } = refusal;
    let wait = Duration::from_millis(*retry_after_ms);
    let message = format!(
        "the key's limit of {limit} {} is reached: try again in {:.1} s",
        which.as_str(),
        wait.as_secs_f64()
    );
    Error::new(ErrorKind::RateLimited, message).retry_after(wait)
}

fn payer(key: &KeyRecord, skim: &Skim) -> Payer {
    Payer {
        organisation: key.facts.organisation,
        team: key.facts.team,
        user: key.facts.user,
        key: key.facts.id,
        end_user: skim.end_user.as_deref().map(cut),
        session: skim.session.as_deref().map(cut),
        tags: skim.tags.iter().take(TAGS_MAX).map(|tag| cut(tag)).collect(),
        experiment: None,
        variant: None,
    }
}

/// A caller's text for a row, cut to a sane length.
fn cut(text: &str) -> Text {
    let end = text.floor_char_boundary(LABEL_BYTES_MAX);
    Text::from(text.get(..end).unwrap_or_default())
}

fn crossing(codec: &'static dyn Codec, headers: &HeaderMap) -> HeaderMap {
    let mut crossing = HeaderMap::new();
    cross(codec.dialect(), Direction::Request, headers, &mut crossing);
    crossing.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    crossing
}
