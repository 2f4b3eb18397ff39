//! `[routes.NAME]`: a model name of the operator's own, with fallbacks.
//!
//! Not the planning: only what was asked for. Look first at [`Route`].

use std::time::Duration;

use trunkline_domain::{ModelName, Text};

use super::limits::{attempts_max, heartbeat};
use super::model::name;
use super::problem::Place;
use super::reader::{Table, Value};
use crate::snapshot::JSON_SCHEMA_RETRIES;
use trunkline_domain::plan::Timeouts;
use trunkline_routing::fallbacks::Why;
use trunkline_wire::codec::Subject;
use trunkline_wire::recast::{LossPolicy, Tolerance};

/// Most targets of one route.
pub const TARGETS_MAX: usize = 64;

/// A model name callers can use, and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What callers write as `model`.
    pub name: Text,
    /// Model names or `account/upstream-id`, tried in order.
    pub targets: Vec<ModelName>,
    /// Deadlines that differ from the accounts'.
    pub timeouts: Timeouts,
    /// Whether answers carry cost and provider.
    pub annotate: bool,
    /// Silence after which a waiting stream gets a comment line; without one, the server's.
    pub heartbeat: Option<Duration>,
    /// Upstream attempts of one request; without a number, the server's.
    pub attempts_max: Option<u8>,
    /// What may be lost where a provider cannot be told everything.
    pub losses: LossPolicy,
    /// Whether a second deployment is asked when the first is slow.
    pub hedge: bool,
    /// Whether a stream that breaks off is gone on with elsewhere.
    pub resume: bool,
    /// Set where an answer that is to be JSON is validated before it is handed on: how often a deployment whose answer does
    /// not hold is asked again.
    pub validation: Option<u8>,
    /// What is tried when the targets have failed, by why.
    pub fallbacks: Fallbacks,
}

/// Model names to fall back to, by why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fallbacks {
    /// The prompt is too long for the targets.
    pub context_length: Vec<ModelName>,
    /// The targets' content policy refuses.
    pub content_policy: Vec<ModelName>,
    /// For any other cause another model may not share.
    pub general: Vec<ModelName>,
}

/// A target and where it stands, for the checks across tables.
#[derive(Clone, Debug)]
pub(super) struct PlacedTarget {
    pub(super) name: ModelName,
    pub(super) role: Role,
    pub(super) place: Place,
}

/// What a route has a model for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is one of the route's own.
    Target,
    /// It is fallen back to.
    Fallback(Why),
}

impl Route {
    pub(super) fn read(route: &str, table: &mut Table<'_>) -> (Self, Vec<PlacedTarget>) {
        let list = table.get("targets");
        if list.is_none() {
            table.missing("targets", "a list of model names, the first is tried first");
        }
        let mut placed = list.map(|list| targets(&list, Role::Target)).unwrap_or_default();
        let own = names(&placed);
        let (fallbacks, further) = fallbacks(table);
        placed.extend(further);
        let route = Self {
            name: Text::from(route),
            targets: own,
            timeouts: super::account::timeouts(table).unwrap_or_default(),
            annotate: table.switch("annotate").unwrap_or(false),
            heartbeat: heartbeat(table),
            attempts_max: attempts_max(table),
            losses: losses(table),
            hedge: table.switch("hedge").unwrap_or(false),
            resume: table.switch("resume").unwrap_or(false),
            validation: validation(table),
            fallbacks,
        };
        (route, placed)
    }
}

fn names(placed: &[PlacedTarget]) -> Vec<ModelName> {
    placed.iter().map(|target| target.name.clone()).collect()
}

/// The chains, and all of their names with their places.
fn fallbacks(table: &mut Table<'_>) -> (Fallbacks, Vec<PlacedTarget>) {
    let mut placed = Vec::new();
    let read = table.table("fallbacks", |table| {
        let mut chain = |key, why| {
            let list = table.get(key);
            let chain = list.map(|list| targets(&list, Role::Fallback(why))).unwrap_or_default();
            let own = names(&chain);
            placed.extend(chain);
            own
        };
        Fallbacks {
            context_length: chain("context_length", Why::ContextLength),
            content_policy: chain("content_policy", Why::ContentPolicy),
            general: chain("general", Why::General),
        }
    });
    (read.unwrap_or_default(), placed)
}

/// `json_schema_validation`, and `json_schema_retries`, which says nothing without it.
fn validation(table: &mut Table<'_>) -> Option<u8> {
    let wanted = table.switch("json_schema_validation").unwrap_or(false);
    let retries = table.number("json_schema_retries", 0..=5).unwrap_or(JSON_SCHEMA_RETRIES);
    wanted.then_some(retries)
}

/// `strict`, then `losses` by what a field is about.
fn losses(table: &mut Table<'_>) -> LossPolicy {
    let strict = table.switch("strict").unwrap_or(false);
    let base = if strict { LossPolicy::STRICT } else { LossPolicy::default() };
    let Some(said) = table.get("losses") else { return base };
    let choices = Tolerance::ALL.map(|tolerance| (tolerance.as_str(), tolerance));
    let read = said.table(|table| {
        Subject::ALL.iter().fold(base, |policy, subject| {
            let tolerance = table.get(subject.as_str()).and_then(|value| value.choice(&choices));
            tolerance.map_or(policy, |tolerance| policy.with(*subject, tolerance))
        })
    });
    read.unwrap_or(base)
}

fn targets(value: &Value<'_>, role: Role) -> Vec<PlacedTarget> {
    let Some(list) = value.list() else { return Vec::new() };
    if list.is_empty() || list.len() > TARGETS_MAX {
        value.error(format!("must hold between 1 and {TARGETS_MAX} model names"));
    }
    let mut targets: Vec<PlacedTarget> = Vec::new();
    for item in list {
        let Some(text) = name(&item) else { continue };
        if targets.iter().any(|other| other.name.as_str() == text) {
            item.error("is there twice");
        }
        targets.push(PlacedTarget { name: ModelName::from(text), role, place: item.place });
    }
    targets
}
