//! `GET /v1/generation?id=`: what became of a request, from the rows of the caller's own key, in the shape of
//! <https://openrouter.ai/docs/api/api-reference/generations/get-generation>. Somebody else's request is not found.

use axum::response::Response;
use http::request::Parts;
use serde::Serialize;
use trunkline_domain::id::RequestId;
use trunkline_domain::ledger::{AttemptEntry, RequestRecord};
use trunkline_domain::{Error, ErrorKind, NanoUsd, Operation, TenantScope, UnixMs};
use trunkline_providers::registry;

use super::key::away;
use super::{Data, catch_up, parameter, shown};
use crate::app::App;
use crate::render;

/// One request of the caller's.
pub(crate) async fn of_request(app: App, parts: Parts) -> Result<Response, Error> {
    let key = app.engine.caller(&parts.headers).await?;
    let asked = parameter(parts.uri.query(), "id").ok_or_else(|| {
        let message = "say which: /v1/generation?id=gen-…, the x-generation-id of an answer";
        Error::new(ErrorKind::InvalidRequest, message).about("id")
    })?;
    let id: RequestId = asked.parse().map_err(|_| not_found(&asked))?;
    catch_up(&app).await;
    let scope = TenantScope::Key(key.facts.organisation, key.facts.id);
    let record = app.ledger.request(scope, id).await.map_err(away)?.ok_or_else(|| not_found(&asked))?;
    let attempts = app.ledger.attempts(scope, id).await.map_err(away)?;
    Ok(render::json(&Data { data: Generation::of(&record, &attempts) }))
}

fn not_found(asked: &str) -> Error {
    let message = format!(
        "this key has no generation `{}`: it may belong to another key, or be still under way",
        shown(asked)
    );
    Error::new(ErrorKind::NotFound, message).about("id")
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the fields of the API it follows")]
struct Generation<'a> {
    id: String,
    upstream_id: Option<&'a str>,
    model: &'a str,
    provider_name: Option<&'a str>,
    provider_responses: Vec<ProviderResponse<'a>>,
    total_cost: f64,
    usage: f64,
    upstream_inference_cost: f64,
    cache_discount: Option<f64>,
    is_byok: bool,
    tokens_prompt: u64,
    tokens_completion: u64,
    native_tokens_prompt: u64,
    native_tokens_completion: u64,
    native_tokens_reasoning: u64,
    native_tokens_cached: u64,
    native_tokens_completion_images: u64,
    num_search_results: u32,
    latency: u64,
    generation_time: u64,
    moderation_latency: Option<u64>,
    finish_reason: Option<&'a str>,
    native_finish_reason: Option<&'a str>,
    streamed: bool,
    cancelled: bool,
    api_type: &'static str,
    external_user: Option<&'a str>,
    session_id: Option<&'a str>,
    request_id: Option<&'a str>,
    origin: &'static str,
    created_at: Option<String>,
    /// Ours, from here on: exact dollars, and how the request ended.
    total_cost_usd: String,
    status: u16,
    error: Option<&'a str>,
    model_asked: &'a str,
    first_content_ms: Option<u64>,
    losses: &'a [trunkline_domain::Text],
    seams: &'a [trunkline_domain::resume::Seam],
}

/// One attempt, failed ones too.
#[derive(Serialize)]
struct ProviderResponse<'a> {
    /// The attempt's id.
    id: String,
    endpoint_id: String,
    model_permaslug: &'a str,
    provider_name: &'a str,
    status: Option<u16>,
    latency: u64,
    is_byok: bool,
    /// Ours, from here on.
    cause: Option<&'static str>,
    state: &'static str,
    cost_usd: String,
    usage_source: &'static str,
}

impl<'a> Generation<'a> {
    fn of(record: &'a RequestRecord, attempts: &'a [AttemptEntry]) -> Self {
        let delivered = |row: &&AttemptEntry| Some(row.opening.id.ordinal) == record.final_attempt;
        let row = attempts.iter().find(delivered).or(attempts.last());
        let settlement = row.map(|row| &row.settlement);
        let usage = settlement.map(|settlement| settlement.usage).unwrap_or_default();
        let sum = |amount: fn(&AttemptEntry) -> NanoUsd| {
            attempts.iter().fold(NanoUsd::ZERO, |sum, row| sum.saturating_add(amount(row)))
        };
        let charge = sum(|row| row.settlement.charge);
        let finish = settlement.and_then(|settlement| settlement.finish.as_deref());
        let (prompt, completion) = (usage.prompt_total(), usage.completion_total());
        let payer = record.payer.as_ref();
        Self {
            id: record.id.to_string(),
            upstream_id: settlement.and_then(|settlement| settlement.upstream_id.as_deref()),
            model: row.map_or(record.model_asked.as_str(), |row| row.opening.model.as_str()),
            provider_name: row.map(provider_name),
            provider_responses: attempts.iter().map(ProviderResponse::of).collect(),
            total_cost: charge.as_dollars_f64(),
            usage: charge.as_dollars_f64(),
            upstream_inference_cost: sum(|row| row.settlement.cost).as_dollars_f64(),
            cache_discount: None,
            is_byok: false,
            tokens_prompt: prompt,
            tokens_completion: completion,
            native_tokens_prompt: prompt,
            native_tokens_completion: completion,
            native_tokens_reasoning: usage.reasoning_tokens,
            native_tokens_cached: usage.cache_read_tokens,
            native_tokens_completion_images: usage.image_output_tokens,
            num_search_results: usage.units.searches,
            latency: record.total_ms,
            generation_time: settlement.map_or(0, |settlement| settlement.total_ms),
            moderation_latency: None,
            finish_reason: finish,
            native_finish_reason: finish,
            streamed: record.streamed,
            cancelled: record.error.as_deref() == Some(ErrorKind::ClientClosed.facts().code),
            api_type: api_type(record.operation),
            external_user: payer.and_then(|payer| payer.end_user.as_deref()),
            session_id: payer.and_then(|payer| payer.session.as_deref()),
            request_id: record.client_request_id.as_deref(),
            origin: "",
            created_at: timestamp(record.arrived_at),
            total_cost_usd: charge.to_string(),
            status: record.status,
            error: record.error.as_deref(),
            model_asked: record.model_asked.as_str(),
            first_content_ms: settlement.and_then(|settlement| settlement.first_content_ms),
            losses: &record.losses,
            seams: &record.seams,
        }
    }
}

impl<'a> ProviderResponse<'a> {
    fn of(row: &'a AttemptEntry) -> Self {
        let AttemptEntry { opening, settlement } = row;
        Self {
            id: opening.id.to_string(),
            endpoint_id: format!("{}/{}", opening.account, opening.upstream_model),
            model_permaslug: opening.model.as_str(),
            provider_name: provider_name(row),
            status: settlement.status,
            latency: settlement.total_ms,
            is_byok: false,
            cause: settlement.cause.map(trunkline_domain::attempt::Cause::as_str),
            state: settlement.state.as_str(),
            cost_usd: settlement.cost.to_string(),
            usage_source: settlement.usage_source.as_str(),
        }
    }
}

/// The provider's name for people; its id where this version no longer knows it.
fn provider_name(row: &AttemptEntry) -> &str {
    registry::by_id(&row.opening.provider).map_or(&*row.opening.provider, |spec| spec.name)
}

const fn api_type(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat | Operation::TextCompletion | Operation::CountTokens => "completions",
        Operation::Embeddings => "embeddings",
    }
}

fn timestamp(at: UnixMs) -> Option<String> {
    at.timestamp().map(|at| at.to_string())
}
