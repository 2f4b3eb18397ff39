//! Writing a buffered answer, and what buffered and streamed answers share: items of output, and the response around them,
//! which repeats what was asked.

use bytes::Bytes;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Citation, Effort, Extras, Finish, FinishReason, Media, MediaSource, Minted,
    Part, PartKind, RawJson, Thought, ToolCall, ToolCallKind,
};
use trunkline_domain::{Text, Usage};

use super::{DIALECT, parameters};
use crate::codec::Subject;
use crate::json::{Array, Object, object};
use crate::recast::{AnswerIdentity, Losses};

/// The response around the output.
pub(super) struct Frame {
    pub(super) id: String,
    model: String,
    created: i64,
    /// What repeats the request.
    asked: Vec<(&'static str, RawJson)>,
    service_tier: Option<Text>,
}

/// How a response stands.
pub(super) struct Standing<'a> {
    pub(super) output: &'a [RawJson],
    pub(super) usage: Option<&'a Usage>,
    /// `None` while it is being written.
    pub(super) ended: Option<&'a Ended>,
}

/// How a response ended.
pub(super) struct Ended {
    pub(super) status: &'static str,
    reason: Option<&'static str>,
}

impl Ended {
    pub(super) fn of(finish: Option<&Finish>) -> Self {
        let incomplete = |reason| Self { status: "incomplete", reason: Some(reason) };
        match finish.map(|finish| finish.reason) {
            Some(FinishReason::Length | FinishReason::ContextWindow) => incomplete("max_output_tokens"),
            Some(FinishReason::ContentFilter) => incomplete("content_filter"),
            Some(
                FinishReason::Stop
                | FinishReason::StopSequence
                | FinishReason::ToolCalls
                | FinishReason::Refusal
                | FinishReason::Pause
                | FinishReason::Error
                | FinishReason::Other,
            )
            | None => Self { status: "completed", reason: None },
        }
    }
}

impl Frame {
    pub(super) fn of(identity: &AnswerIdentity<'_>) -> Self {
        Self {
            id: identity.id.to_owned(),
            model: identity.model.to_owned(),
            created: identity.created,
            asked: asked(identity.request),
            service_tier: None,
        }
    }

    pub(super) fn served_by(&mut self, tier: Option<Text>) {
        self.service_tier = tier.or(self.service_tier.take());
    }

    /// The id of an item: unique within the response, and the same whenever it is named.
    pub(super) fn item_id(&self, prefix: &str, place: usize) -> String {
        let unique = self.id.strip_prefix("resp_").unwrap_or(&self.id);
        format!("{prefix}_{unique}_{place}")
    }

    /// Writes the members of the response.
    pub(super) fn write(&self, object: &mut Object<'_>, standing: &Standing<'_>) {
        object.member("id", &self.id);
        object.member("object", "response");
        object.member("created_at", &self.created);
        object.member("status", standing.ended.map_or("in_progress", |ended| ended.status));
        object.member("background", &false);
        object.member("error", &());
        match standing.ended.and_then(|ended| ended.reason) {
            Some(reason) => object.object("incomplete_details", |details| details.member("reason", reason)),
            None => object.member("incomplete_details", &()),
        }
        object.member("instructions", &());
        object.member("model", &self.model);
        object.array("output", |output| standing.output.iter().for_each(|item| output.raw(item)));
        object.member("previous_response_id", &());
        object.member("service_tier", &self.service_tier);
        object.member("store", &false);
        object.member("truncation", "disabled");
        for (name, value) in &self.asked {
            object.raw(name, value);
        }
        match standing.usage {
            Some(usage) => object.object("usage", |object| write_usage(object, usage)),
            None => object.member("usage", &()),
        }
    }
}

/// Writes a member `v`.
type Writer<'a> = &'a dyn Fn(&mut Object<'_>);

/// What of a request its answer repeats.
fn asked(request: &ChatRequest) -> Vec<(&'static str, RawJson)> {
    let ChatRequest { sampling, reasoning, labels, output, .. } = request;
    let one = serde_json::Number::from(1);
    let names: [(&'static str, Writer<'_>); 9] = [
        ("max_output_tokens", &|object| object.member("v", &sampling.output_max)),
        ("parallel_tool_calls", &|object| object.member("v", &request.parallel_tool_calls.unwrap_or(true))),
        ("reasoning", &|object| {
            object.object("v", |object| {
                let said = reasoning.as_ref();
                object.member("effort", &said.and_then(|said| said.effort).map(Effort::as_str));
                object.member("summary", &said.and_then(|said| said.summary.as_deref()));
            });
        }),
        ("temperature", &|object| object.member("v", sampling.temperature.as_ref().unwrap_or(&one))),
        ("top_p", &|object| object.member("v", sampling.top_p.as_ref().unwrap_or(&one))),
        ("text", &|object| {
            object.object("v", |text| {
                parameters::write_output_format(text, output.format.as_ref());
                text.optional("verbosity", output.verbosity.as_ref());
            });
        }),
        ("tools", &|object| {
            object.array("v", |array| {
                for tool in &request.tools {
                    parameters::write_tool(array, tool);
                }
            });
        }),
        ("user", &|object| object.member("v", &labels.user)),
        ("metadata", &|object| match &labels.metadata {
            Some(metadata) => object.raw("v", metadata),
            None => object.object("v", |_| {}),
        }),
    ];
    let mut asked: Vec<_> = names.iter().filter_map(|(name, write)| Some((*name, value(write)?))).collect();
    let mut choice = Vec::new();
    object(&mut choice, |object| parameters::write_tool_choice(object, request.tool_choice.as_ref()));
    asked.extend(inner(&choice, "tool_choice").map(|choice| ("tool_choice", choice)));
    asked
}

/// The value written as member `v`.
fn value(write: Writer<'_>) -> Option<RawJson> {
    let mut bytes = Vec::new();
    object(&mut bytes, |object| write(object));
    inner(&bytes, "v")
}

/// The value of an object's only member.
fn inner(object: &[u8], key: &str) -> Option<RawJson> {
    let text = std::str::from_utf8(object).ok()?;
    RawJson::parse(text.get(key.len() + 4..text.len().checked_sub(1)?)?)
}

fn write_usage(object: &mut Object<'_>, usage: &Usage) {
    object.member("input_tokens", &usage.prompt_total());
    object.object("input_tokens_details", |details| {
        details.member("cached_tokens", &usage.cache_read_tokens);
        let writes = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
        details.member("cache_write_tokens", &writes);
    });
    object.member("output_tokens", &usage.completion_total());
    object.object("output_tokens_details", |details| {
        details.member("reasoning_tokens", &usage.reasoning_tokens);
    });
    object.member("total_tokens", &usage.total());
}

/// Writes an answer.
pub(super) fn encode(response: &ChatResponse, identity: &AnswerIdentity<'_>, losses: &mut Losses) -> Bytes {
    let mut frame = Frame::of(identity);
    frame.served_by(response.service_tier.clone());
    for other in response.choices.iter().skip(1) {
        let why = "the dialect has one answer";
        losses.dropped(Subject::Content, format!("choices[{}]", other.index), why);
    }
    let choice = response.choices.first();
    let ended = Ended::of(choice.and_then(|choice| choice.finish.as_ref()));
    let output = items(&frame, choice.map_or(&[], |choice| &choice.parts), &ended, losses);
    let standing = Standing { output: &output, usage: response.usage.as_ref(), ended: Some(&ended) };
    let mut bytes = Vec::new();
    object(&mut bytes, |object| frame.write(object, &standing));
    bytes.into()
}

fn items(frame: &Frame, parts: &[Part], ended: &Ended, losses: &mut Losses) -> Vec<RawJson> {
    let mut items = Vec::new();
    let mut said: Vec<RawJson> = Vec::new();
    let close = |said: &mut Vec<RawJson>, items: &mut Vec<RawJson>| {
        if !said.is_empty() {
            let id = frame.item_id("msg", items.len());
            items.extend(message_item(&id, ended.status, &std::mem::take(said)));
        }
    };
    for (place, part) in parts.iter().enumerate() {
        match &part.kind {
            PartKind::Text { text, citations } => said.extend(text_piece(text, citations)),
            PartKind::Refusal(text) => said.extend(refusal_piece(text)),
            PartKind::Reasoning(thought) => {
                close(&mut said, &mut items);
                let id =
                    thought.id.as_deref().map_or_else(|| frame.item_id("rs", items.len()), str::to_owned);
                let state = state(part.signature.as_ref(), place, losses);
                items.extend(thought_item(&id, thought, state));
            }
            PartKind::ToolCall(call) => {
                close(&mut said, &mut items);
                let id = frame.item_id(call_prefix(call.kind), items.len());
                items.extend(call_item(&id, call, &part.extras, "completed"));
            }
            PartKind::Image(image) => {
                close(&mut said, &mut items);
                let id = frame.item_id("ig", items.len());
                match image_item(&id, image) {
                    Some(item) => items.push(item),
                    None => lose(place, losses),
                }
            }
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => {
                close(&mut said, &mut items);
                items.push(opaque.raw.clone());
            }
            PartKind::Opaque(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_) => lose(place, losses),
        }
    }
    close(&mut said, &mut items);
    items
}

pub(super) fn lose(place: usize, losses: &mut Losses) {
    let why = "the dialect's answers have no such part";
    losses.dropped(Subject::Content, format!("choices[0].parts[{place}]"), why);
}

/// A thought's encrypted form, if it is this dialect's.
pub(super) fn state<'a>(
    signature: Option<&'a Minted<Text>>,
    place: usize,
    losses: &mut Losses,
) -> Option<&'a Text> {
    let signature = signature?;
    if signature.dialect == DIALECT {
        return Some(&signature.value);
    }
    let path = format!("choices[0].parts[{place}].signature");
    losses.dropped(Subject::State, path, "the dialect carries no other provider's state");
    None
}

fn item(members: impl FnOnce(&mut Object<'_>)) -> Option<RawJson> {
    let mut bytes = Vec::new();
    object(&mut bytes, members);
    RawJson::parse(std::str::from_utf8(&bytes).ok()?)
}

pub(super) fn text_piece(text: &str, citations: &[Citation]) -> Option<RawJson> {
    item(|piece| {
        piece.member("type", "output_text");
        piece.member("text", text);
        piece.array("annotations", |array| {
            for citation in citations {
                write_citation(array, citation, text);
            }
        });
        piece.array("logprobs", |_| {});
    })
}

/// Writes a citation of an address; the dialect has no other kind for what a caller's own documents say.
pub(super) fn write_citation(array: &mut Array<'_>, citation: &Citation, text: &str) {
    let Some(url) = &citation.url else { return };
    let (start, end) = citation.span.unwrap_or((0, text.chars().count() as u64));
    array.object(|object| {
        object.member("type", "url_citation");
        object.member("url", url);
        object.member("title", citation.title.as_deref().unwrap_or_default());
        object.member("start_index", &start);
        object.member("end_index", &end);
    });
}

pub(super) fn refusal_piece(text: &str) -> Option<RawJson> {
    item(|piece| {
        piece.member("type", "refusal");
        piece.member("refusal", text);
    })
}

pub(super) fn message_item(id: &str, status: &str, content: &[RawJson]) -> Option<RawJson> {
    item(|message| {
        message.member("id", id);
        message.member("type", "message");
        message.member("status", status);
        message.member("role", "assistant");
        message.array("content", |array| content.iter().for_each(|piece| array.raw(piece)));
    })
}

pub(super) fn thought_item(id: &str, thought: &Thought, state: Option<&Text>) -> Option<RawJson> {
    item(|object| {
        object.member("id", id);
        object.member("type", "reasoning");
        object.array("summary", |array| pieces(array, "summary_text", &thought.summary));
        if !thought.text.is_empty() {
            object.array("content", |array| pieces(array, "reasoning_text", &thought.text));
        }
        object.optional("encrypted_content", state);
    })
}

fn pieces(array: &mut Array<'_>, kind: &str, texts: &[Text]) {
    for text in texts {
        array.object(|piece| {
            piece.member("type", kind);
            piece.member("text", text);
        });
    }
}

pub(super) fn call_prefix(kind: ToolCallKind) -> &'static str {
    match kind {
        ToolCallKind::Function => "fc",
        ToolCallKind::Freeform => "ctc",
    }
}

pub(super) fn call_item(id: &str, call: &ToolCall, extras: &Extras, status: &str) -> Option<RawJson> {
    // The dialect pairs calls and outputs by an id that others may leave out.
    let call_id = if call.id.is_empty() { id } else { &*call.id };
    item(|object| {
        object.member("id", id);
        let payload = match call.kind {
            ToolCallKind::Function => {
                object.member("type", "function_call");
                object.member("status", status);
                "arguments"
            }
            ToolCallKind::Freeform => {
                object.member("type", "custom_tool_call");
                "input"
            }
        };
        object.member(payload, &call.arguments);
        object.member("call_id", call_id);
        object.member("name", &call.name);
        for (name, value) in extras.fields().iter().filter(|_| extras.is_of(DIALECT)) {
            object.raw(name, value);
        }
    })
}

pub(super) fn image_item(id: &str, image: &Media) -> Option<RawJson> {
    let MediaSource::Base64(data) = &image.source else { return None };
    item(|object| {
        object.member("id", id);
        object.member("type", "image_generation_call");
        object.member("status", "completed");
        object.member("result", data);
    })
}
