//! What an answer says about itself (openai-python, `types/responses/response.py`). Content is measured, never kept.

use bytes::Bytes;
use serde::de::IgnoredAny;
use trunkline_domain::Text;
use trunkline_domain::chat::{Number, RawJson};

use super::error;
use crate::anthropic::answer::Measured;
use crate::codec::{Annotation, AnswerFacts, AnswerProblem, ErrorWords};
use crate::envelope::Envelope;
use crate::frame::{Frame, FrameData};
use crate::json::{Str, wire_object};
use crate::openai;
use crate::quirks::UsageConvention;
use crate::splice::{Edit, EditValue, splice};

/// The longest id, model name or reason kept, in bytes.
const NAME_BYTES_MAX: usize = 512;

wire_object! {
    /// A response, or what is left of one in the first events of a stream.
    ignoring pub(super) struct Response {
        "id" => id: Str,
        "created_at" => created: Number,
        "model" => model: Str,
        "status" => status: Str,
        "incomplete_details" => incomplete: Incomplete,
        "error" => error: RawJson,
        "output" => output: Vec<Item>,
        "usage" => usage: RawJson,
        "service_tier" => service_tier: Str,
        "tool_usage" => tool_usage: ToolUsage,
    }
}

wire_object! {
    ignoring pub(super) struct Incomplete { "reason" => reason: Str }
}

wire_object! {
    /// What tools of the provider's used.
    ignoring pub(super) struct ToolUsage { "web_search" => web_search: WebSearch }
}

wire_object! {
    ignoring pub(super) struct WebSearch { "num_requests" => searches: u64 }
}

wire_object! {
    /// An item, as far as it is measured: with all the text it holds.
    ignoring pub(super) struct Item {
        "type" => kind: IgnoredAny,
        "name" => name: Measured,
        "arguments" => arguments: Measured,
        "input" => input: Measured,
        "content" => content: Measured,
        "summary" => summary: Measured,
    }
}

impl Item {
    /// Bytes of generated text in it.
    pub(super) fn bytes(&self) -> u64 {
        [&self.name, &self.arguments, &self.input, &self.content, &self.summary]
            .into_iter()
            .flatten()
            .fold(0, |sum, measured| sum.saturating_add(measured.0))
    }
}

/// Reads a buffered answer.
pub(super) fn read(body: &[u8], convention: UsageConvention) -> Result<AnswerFacts, AnswerProblem> {
    let problem = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let response: Response = serde_json::from_slice(body).map_err(|_| problem())?;
    if let Some(words) = response.failure() {
        return Err(AnswerProblem::Error(words));
    }
    let Some(output) = &response.output else { return Err(problem()) };
    let output_bytes = output.iter().map(Item::bytes).fold(0, u64::saturating_add);
    let mut facts = AnswerFacts { output_bytes, ..AnswerFacts::default() };
    response.facts(&mut facts, convention);
    facts.finish = response.finish();
    Ok(facts)
}

impl Response {
    /// The provider's words, where it failed.
    pub(super) fn failure(&self) -> Option<ErrorWords> {
        if let Some(raw) = &self.error {
            return Some(openai::error::words(raw.get()).unwrap_or_default());
        }
        let failed = self.status.as_ref().is_some_and(|status| &*status.0 == "failed");
        failed.then(ErrorWords::default)
    }

    /// Adds who answered and what it consumed.
    pub(super) fn facts(&self, facts: &mut AnswerFacts, convention: UsageConvention) {
        facts.id = self.id.as_ref().and_then(name).or(facts.id.take());
        facts.model = self.model.as_ref().and_then(name).or(facts.model.take());
        facts.service_tier = self.service_tier.as_ref().and_then(name).or(facts.service_tier.take());
        let mut usage =
            self.usage.as_ref().and_then(|raw| openai::usage::read_responses(raw.get(), convention));
        if let Some(usage) = &mut usage {
            usage.units.searches = self.tool_usage.as_ref().map_or(0, ToolUsage::searches);
        }
        facts.usage = usage.or(facts.usage);
    }

    /// Why it ended: its status, or the reason where it is incomplete.
    pub(super) fn finish(&self) -> Option<Text> {
        let reason = self.incomplete.as_ref().and_then(|incomplete| incomplete.reason.as_ref());
        reason.or(self.status.as_ref()).and_then(name)
    }
}

impl ToolUsage {
    /// Searches of the web.
    pub(super) fn searches(&self) -> u32 {
        let searches = self.web_search.as_ref().and_then(|search| search.searches).unwrap_or(0);
        u32::try_from(searches).unwrap_or(u32::MAX)
    }
}

/// A name, if it is one.
fn name(text: &Str) -> Option<Text> {
    Some(text.0.clone()).filter(|text| !text.is_empty() && text.len() <= NAME_BYTES_MAX)
}

/// Adds the cost to a buffered answer or to the event that ends a stream.
pub(super) fn annotate(body: &Bytes, annotation: &Annotation<'_>) -> Option<Bytes> {
    in_response(body, |response| openai::annotate::annotate_json(response, annotation))
}

/// Members that hold the id of a kept answer.
const KEPT: &[&str] = &["id", "previous_response_id"];

/// Renames what a provider keeps: the answer itself and the one before it.
pub(super) fn rename_kept(body: &Bytes, rename: &dyn Fn(&str) -> String) -> Option<Bytes> {
    in_response(body, |response| {
        let response = Envelope::parse(response).ok()?;
        let renamed = |field: &&'static str| {
            let id = response.string(field)?;
            Some(Edit::replace(*field, EditValue::string(&rename(&id))))
        };
        let edits: Vec<Edit> = KEPT.iter().filter_map(renamed).collect();
        (!edits.is_empty()).then(|| splice(&response, &edits).to_bytes())
    })
}

/// Changes a buffered answer, or the one that an event of a stream carries.
fn in_response(body: &Bytes, change: impl Fn(Bytes) -> Option<Bytes>) -> Option<Bytes> {
    if body.trim_ascii_start().starts_with(b"{") {
        return change(body.clone());
    }
    let frame = Frame::of_event(body.clone());
    let FrameData::Within(range) = &frame.data else { return None };
    let event = Envelope::parse(body.slice(range.clone())).ok()?;
    let response = change(event.value("response")?)?;
    let event = splice(&event, &[Edit::replace("response", EditValue::json(response))]).to_bytes();
    let (before, after) = (body.get(..range.start)?, body.get(range.end..)?);
    Some([before, event.as_ref(), after].concat().into())
}
