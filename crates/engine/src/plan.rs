//! Lends routing its world, and says in public words why nothing is left.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use trunkline_domain::id::RequestId;
use trunkline_domain::plan::{Exclusion, ExclusionReason, RoutePlan};
use trunkline_domain::receipt::{AffinityBy, Receipt, Versions};
use trunkline_domain::{Error, ErrorKind, Operation, Text};
use trunkline_ledger::Clock;
use trunkline_routing::ask::{Affinity, Budgeted, StateOrigin};
use trunkline_routing::world::LiveTable;
use trunkline_routing::{Ask, PlanError, World, explain};
use trunkline_wire::codec::{Codec, Skim};
use trunkline_wire::envelope::Envelope;

use crate::Engine;
use crate::core::Core;
use crate::kept::gone;
use crate::kept::ids::Kept;
use crate::keys::KeyRecord;
use crate::minted::{Keeper, Survey};
use crate::request::{Outgoing, ReceiptWish, Request};
use crate::snapshot::Snapshot;

/// One question about one request, with the world it is asked of.
pub(crate) struct Question<'a> {
    snapshot: &'a Snapshot,
    live: Arc<LiveTable>,
    clock: &'a dyn Clock,
    ask: Ask<'a>,
    /// Whose state the conversation carries.
    survey: Option<Survey>,
}

impl<'a> Question<'a> {
    pub(crate) fn new(
        core: &'a Core,
        snapshot: &'a Snapshot,
        key: &'a KeyRecord,
        (codec, operation): (&dyn Codec, Operation),
        (envelope, skim): (&Envelope, &'a Skim),
        keeper: Option<&'a str>,
    ) -> Self {
        let ask = Ask {
            operation,
            dialect: codec.dialect(),
            skim,
            scope: &key.facts.models,
            budgeted: if key.cells.is_empty() { Budgeted::No } else { Budgeted::Yes },
            attempts_max: snapshot.limits.attempts_max,
            total: snapshot.limits.deadlines.total,
            seed: rand::random(),
            keeper,
            affinity: affinity(key, envelope, skim),
            state: None,
        };
        let survey = Keeper::new(&core.minted, key.facts.organisation).survey(codec, envelope);
        let live = core.measure.current(snapshot, core.clock.monotonic_ms());
        Self { snapshot, live, clock: &*core.clock, ask, survey }
    }

    fn world(&self) -> World<'_> {
        World {
            offers: &self.snapshot.offers,
            live: &self.live,
            now: self.clock.now(),
            monotonic_ms: self.clock.monotonic_ms(),
        }
    }

    fn ask(&self) -> Ask<'_> {
        let home = self.survey.as_ref().and_then(|survey| survey.home.as_deref());
        let state = home.map(|home| StateOrigin { minter: &home.minter, deployment: &home.deployment });
        Ask { state, ..self.ask }
    }

    pub(crate) fn plan(&self) -> Result<RoutePlan, PlanError> {
        trunkline_routing::plan(&self.world(), &self.ask())
    }

    /// The document of a decision: what `explain` answers, and the head of a receipt.
    pub(crate) fn explain(&self, plan: &Result<RoutePlan, PlanError>, request: Option<RequestId>) -> Receipt {
        let versions = Versions {
            config: self.snapshot.version,
            prices: self.snapshot.price_version.clone(),
            world: self.live.version,
        };
        let excluded = match plan {
            Ok(plan) => plan.excluded.clone(),
            Err(PlanError::NothingLeft { excluded, .. }) => excluded.clone(),
            Err(PlanError::UnknownModel { .. }) => Vec::new(),
        };
        explain::explain(&self.world(), &self.ask(), plan.as_ref().ok(), excluded, request, versions)
    }
}

/// Fields that begin what a model reads, in the order in which providers cache them.
const BEGINNINGS: [&str; 7] =
    ["system", "systemInstruction", "system_instruction", "instructions", "messages", "contents", "input"];
/// Bytes of a prompt's beginning that tell it from others.
const BEGINNING_BYTES: usize = 2_048;
/// Prompts with less text than this are not worth a cache: 1,024 tokens of four bytes, what providers ask at least.
const CACHED_BYTES_MIN: u64 = 4_096;

/// What ties a request to others of the same key: its session, or the beginning of a long prompt.
fn affinity(key: &KeyRecord, envelope: &Envelope, skim: &Skim) -> Option<Affinity> {
    let mut hasher = DefaultHasher::new();
    key.facts.id.hash(&mut hasher);
    let cache_key = || envelope.string("prompt_cache_key").map(|name| Text::from(&*name));
    if let Some(session) = skim.session.clone().or_else(cache_key) {
        session.hash(&mut hasher);
        return Some(Affinity { by: AffinityBy::Session, hash: hasher.finish() });
    }
    if skim.text_bytes < CACHED_BYTES_MIN {
        return None;
    }
    let mut left = BEGINNING_BYTES;
    for raw in BEGINNINGS.iter().filter_map(|field| envelope.raw_bytes(field)) {
        let beginning = raw.get(..left.min(raw.len())).unwrap_or_default();
        beginning.hash(&mut hasher);
        left -= beginning.len();
    }
    Some(Affinity { by: AffinityBy::Prefix, hash: hasher.finish() })
}

/// Decides who is tried. A name of a known account that nobody has seen yet is looked for once in the account's own
/// listing: a model that appeared today is usable at once.
pub(crate) async fn decide(request: &mut Request, outgoing: &mut Outgoing) -> Result<(), Error> {
    let mut plan = attempt(request, outgoing);
    if let Err(PlanError::UnknownModel { asked, .. }) = &plan
        && let Some((account, _)) = asked.split_once('/')
        && request.core.configurator.refresh_account(&Engine(Arc::clone(&request.core)), account).await
    {
        request.snapshot = request.core.snapshots.current();
        plan = attempt(request, outgoing);
    }
    outgoing.plan = plan.map_err(|error| refusal(error, request.previous.as_ref()))?;
    Ok(())
}

fn attempt(request: &mut Request, outgoing: &mut Outgoing) -> Result<RoutePlan, PlanError> {
    let asked = (&outgoing.envelope, &request.skim);
    let language = (request.codec, request.operation);
    let keeper = request.previous.as_ref().map(|kept| &*kept.account);
    let question = Question::new(&request.core, &request.snapshot, &request.key, language, asked, keeper);
    let plan = question.plan();
    let explained = (request.receipt == ReceiptWish::Full).then(|| question.explain(&plan, Some(request.id)));
    outgoing.survey = question.survey;
    request.trail.explained = explained;
    plan
}

/// What the caller is told when there is nothing to try, where it goes on from an answer too: its account alone counts.
fn refusal(error: PlanError, previous: Option<&Kept>) -> Error {
    let elsewhere = |exclusion: &Exclusion| exclusion.reason == ExclusionReason::KeptElsewhere;
    match (previous, &error) {
        (Some(kept), PlanError::NothingLeft { excluded, .. }) if excluded.iter().all(elsewhere) => {
            gone(&kept.account)
        }
        _ => public(error),
    }
}

/// What the caller is told when there is nothing to try.
pub(crate) fn public(error: PlanError) -> Error {
    match error {
        PlanError::UnknownModel { asked, suggestions } => unknown(&asked, &suggestions),
        PlanError::NothingLeft { excluded, retry_after_ms } => nothing_left(&excluded, retry_after_ms),
    }
}

fn unknown(asked: &str, suggestions: &[Text]) -> Error {
    let hint = if suggestions.is_empty() {
        "GET /v1/models lists every model of this gateway".to_owned()
    } else {
        format!("did you mean {}?", suggestions.join(", "))
    };
    Error::new(
        ErrorKind::ModelNotFound,
        format!("no configured provider offers a model named `{asked}`: {hint}"),
    )
    .about("model")
}

fn nothing_left(excluded: &[Exclusion], retry_after_ms: Option<u64>) -> Error {
    let all =
        |wanted: fn(&ExclusionReason) -> bool| excluded.iter().all(|exclusion| wanted(&exclusion.reason));
    let some =
        |wanted: fn(&ExclusionReason) -> bool| excluded.iter().any(|exclusion| wanted(&exclusion.reason));
    let reasons = reasons(excluded);
    if all(|reason| matches!(reason, ExclusionReason::Scope)) {
        let message =
            "this key may not use that model: ask for a key whose scope covers it, or name another model";
        return Error::new(ErrorKind::Forbidden, message).about("model");
    }
    if some(|reason| matches!(reason, ExclusionReason::CoolingDown)) {
        let message = format!("every deployment that could serve this is cooling down: {reasons}");
        let error = Error::new(ErrorKind::NoHealthyDeployment, message);
        return match retry_after_ms {
            Some(wait) => error.retry_after(std::time::Duration::from_millis(wait)),
            None => error,
        };
    }
    if some(|reason| matches!(reason, ExclusionReason::Unpriced | ExclusionReason::Unbounded { .. })) {
        let message =
            format!("the key has a budget, and the bill of this request cannot be bounded: {reasons}");
        return Error::new(ErrorKind::CostUnbounded, message);
    }
    Error::new(
        ErrorKind::NothingCapable,
        format!("no deployment of that model can do what was asked: {reasons}"),
    )
}

/// The most exclusions a message names.
const REASONS_MAX: usize = 8;

fn reasons(excluded: &[Exclusion]) -> String {
    let mut text = String::new();
    for Exclusion { deployment, reason } in excluded.iter().take(REASONS_MAX) {
        let why = match reason {
            ExclusionReason::Operation => "does not do this operation".to_owned(),
            ExclusionReason::Scope => "outside the key's scope".to_owned(),
            ExclusionReason::ContextWindow { window, needed } => {
                format!("its window of {window} tokens is below the {needed} needed")
            }
            ExclusionReason::Capability { missing } => format!("cannot do `{missing}`"),
            ExclusionReason::Unpriced => "its price is not known".to_owned(),
            ExclusionReason::Unbounded { field } => format!("`{field}` has no limit"),
            ExclusionReason::Budget { bound } => format!("could cost ${bound}"),
            ExclusionReason::KeptElsewhere => "does not keep the answer to go on from".to_owned(),
            ExclusionReason::CoolingDown => "cooling down".to_owned(),
            ExclusionReason::BeyondAttempts => "beyond the attempts allowed".to_owned(),
        };
        let separator = if text.is_empty() { "" } else { "; " };
        text.extend([separator, deployment, ": ", &why]);
    }
    text
}
