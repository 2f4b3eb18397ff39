//! Buffered answers, both ways.

use std::borrow::Cow;

use bytes::Bytes;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatResponse, Choice, Citation, Finish, Media, Part, PartKind, RawJson, Speech, ToolCallKind,
};

use super::super::{error, usage};
use super::content::{Address, Content, ContentPart, source, url};
use super::encode_messages::write_thought_signature;
use super::finish::{self, WireLogprobs};
use super::messages::{Call, opaque_part};
use super::{DIALECT, form, reasoning};
use crate::codec::{AnswerProblem, Subject};
use crate::json::{Array, Object, Rest, Str, object, wire_object};
use crate::quirks::Quirks;
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{AnswerIdentity, Losses};

wire_object! {
    struct Completion {
        "id" => id: Str,
        "object" => object: Str,
        "created" => created: i64,
        "model" => model: Str,
        "choices" => choices: Vec<RawJson>,
        "usage" => usage: RawJson,
        "service_tier" => service_tier: Str,
        "error" => error: RawJson,
    }
}

wire_object! {
    struct WireChoice {
        "index" => index: u32,
        "message" => message: Message,
        "finish_reason" => finish_reason: Str,
        "stop_reason" => stop_reason: RawJson,
        "matched_stop" => matched_stop: RawJson,
        "logprobs" => logprobs: WireLogprobs,
    }
}

wire_object! {
    struct Message {
        "role" => role: Str,
        "content" => content: Content,
        "refusal" => refusal: Str,
        "tool_calls" => tool_calls: Vec<Call>,
        "annotations" => annotations: Vec<Annotation>,
        "audio" => audio: Audio,
        "images" => images: Vec<Image>,
        "reasoning_details" => reasoning_details: RawJson,
        "reasoning_content" => reasoning_content: Str,
        "reasoning" => reasoning: Str,
    }
}

wire_object! {
    pub(super) struct Annotation { "type" => kind: Str, "url_citation" => citation: UrlCitation }
}

wire_object! {
    pub(super) struct UrlCitation {
        "url" => url: Str,
        "title" => title: Str,
        "content" => content: Str,
        "start_index" => start: u64,
        "end_index" => end: u64,
    }
}

wire_object! {
    pub(super) struct Audio {
        "id" => id: Str,
        "data" => data: Str,
        "transcript" => transcript: Str,
        "expires_at" => expires_at: i64,
    }
}

wire_object! {
    pub(super) struct Image { "type" => kind: Str, "image_url" => address: Address }
}

/// Reads an answer.
pub(super) fn decode(body: &[u8], quirks: &Quirks) -> Result<ChatResponse, AnswerProblem> {
    let malformed = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let completion: Completion = serde_json::from_slice(body).map_err(|_| malformed())?;
    if let Some(words) = completion.error.as_ref().and_then(|error| error::words(error.get())) {
        return Err(AnswerProblem::Error(words));
    }
    let Some(wire_choices) = completion.choices else { return Err(malformed()) };
    let mut choices = Vec::with_capacity(wire_choices.len());
    for (place, raw) in wire_choices.iter().enumerate() {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        choices.push(choice(raw, place, quirks).ok_or(AnswerProblem::Malformed)?);
    }
    choices.sort_by_key(|choice| choice.index);
    if choices.windows(2).any(|pair| matches!(pair, [one, next] if one.index == next.index)) {
        // A server that gives all its choices one number.
        (0..).zip(&mut choices).for_each(|(place, choice)| choice.index = place);
    }
    let text = |text: Option<Str>| text.map_or_else(|| Text::from(""), |text| text.0);
    Ok(ChatResponse {
        id: text(completion.id),
        model: text(completion.model),
        created: completion.created,
        choices,
        usage: completion.usage.and_then(|raw| usage::read(raw.get(), quirks.usage)),
        service_tier: completion.service_tier.map(|tier| tier.0),
        extras: completion.rest.without_nulls().extras(DIALECT, 0),
    })
}

fn choice(raw: &RawJson, place: u32, quirks: &Quirks) -> Option<Choice> {
    let WireChoice { index, message, finish_reason, mut stop_reason, mut matched_stop, logprobs, mut rest } =
        serde_json::from_str(raw.get()).ok()?;
    let stop_sequence = finish::stop_sequence(quirks, &mut stop_reason, &mut matched_stop);
    for (name, left) in [("stop_reason", stop_reason), ("matched_stop", matched_stop)] {
        if let Some(raw) = left {
            rest.push(name, raw);
        }
    }
    let (parts, form) = parts(message?, raw, &mut rest)?;
    let calls = parts.iter().filter(|part| part.tool_call().is_some()).count();
    Some(Choice {
        index: index.unwrap_or(place),
        finish: finish_reason.and_then(|reason| finish::decode(&reason.0, calls, stop_sequence)),
        logprobs: logprobs.and_then(WireLogprobs::logprobs),
        extras: rest.without_nulls().extras(DIALECT, form),
        parts,
    })
}

/// The parts of a message in the order every answer has them: thinking, content, refusal, images, speech, calls.
fn parts(message: Message, raw: &RawJson, rest: &mut Rest) -> Option<(Vec<Part>, u32)> {
    let Message { content, refusal, tool_calls, annotations, audio, images, rest: mut inner, .. } = message;
    let members = reasoning::Members {
        details: message.reasoning_details,
        content: message.reasoning_content,
        reasoning: message.reasoning,
    };
    let (mut parts, form) = reasoning::decode(members, &mut inner);
    rest.nest("message", inner.without_nulls());
    let citations: Vec<Citation> =
        annotations.into_iter().flatten().filter_map(Annotation::citation).collect();
    match content {
        Some(Content::Text(text)) if !text.is_empty() || !citations.is_empty() => {
            parts.push(PartKind::Text { text, citations }.into());
        }
        Some(Content::Parts(elements)) => {
            for (place, element) in elements.into_iter().enumerate() {
                parts.push(content_part(element, raw, place)?);
            }
        }
        Some(Content::Text(_)) | None => {}
    }
    let refusal = refusal.filter(|refusal| !refusal.0.is_empty());
    parts.extend(refusal.map(|refusal| Part::new(PartKind::Refusal(refusal.0))));
    for image in images.into_iter().flatten() {
        parts.push(image.part()?);
    }
    parts.extend(audio.map(|audio| Part::new(PartKind::Speech(audio.speech()))));
    for call in tool_calls.into_iter().flatten() {
        parts.push(call.part()?);
    }
    Some((parts, form))
}

/// A part of content; an unknown one as it was written.
fn content_part(element: ContentPart, raw: &RawJson, place: usize) -> Option<Part> {
    #[derive(serde::Deserialize)]
    struct Raw {
        message: RawJson,
    }
    element.part().or_else(|| {
        let choice: Raw = serde_json::from_str(raw.get()).ok()?;
        opaque_part(choice.message.get(), place)
    })
}

impl Annotation {
    /// The canonical citation; `None` where there is none to be understood.
    pub(super) fn citation(self) -> Option<Citation> {
        let UrlCitation { url, title, content, start, end, rest } = self.citation?;
        let span = start.zip(end);
        Some(Citation {
            url: Some(url?.0),
            title: title.map(|title| title.0),
            cited_text: content.map(|content| content.0),
            span,
            extras: rest.without_nulls().extras(DIALECT, 0),
        })
    }
}

impl Audio {
    fn speech(self) -> Speech {
        let text = |text: Option<Str>| text.map_or_else(|| Text::from(""), |text| text.0);
        Speech {
            id: self.id.map(|id| id.0),
            data: text(self.data),
            transcript: text(self.transcript),
            expires_at: self.expires_at,
        }
    }
}

impl Image {
    /// The picture as a part.
    pub(super) fn part(self) -> Option<Part> {
        let (source, media_type) = source(&self.address?.url?.0);
        Some(PartKind::Image(Media { source, media_type, detail: None }).into())
    }
}

/// Writes an answer.
pub(super) fn encode(response: &ChatResponse, identity: &AnswerIdentity<'_>, losses: &mut Losses) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |object| {
        object.member("id", identity.id);
        object.member("object", "chat.completion");
        object.member("created", &identity.created);
        object.member("model", identity.model);
        object.array("choices", |choices| {
            for choice in &response.choices {
                encode_choice(choices, choice, losses);
            }
        });
        if let Some(reported) = &response.usage {
            object.object("usage", |object| usage::write(object, reported));
        }
        object.optional("service_tier", response.service_tier.as_ref());
        restore(object, &response.extras, DIALECT, &String::new, losses);
    });
    out.into()
}

fn encode_choice(array: &mut Array<'_>, choice: &Choice, losses: &mut Losses) {
    array.object(|object| {
        object.member("index", &choice.index);
        object.object("message", |message| encode_message(message, choice, losses));
        match &choice.logprobs {
            Some(logprobs) => finish::write_logprobs(object, logprobs),
            None => object.member("logprobs", &()),
        }
        if let Some(finish) = &choice.finish {
            finish::lose(finish, choice.index, losses);
        }
        object.member("finish_reason", &choice.finish.as_ref().map(|finish: &Finish| finish::word(finish)));
        let level = || format!("choices[{}]", choice.index);
        restore(object, &choice.extras, DIALECT, &level, losses);
    });
}

fn encode_message(message: &mut Object<'_>, choice: &Choice, losses: &mut Losses) {
    message.member("role", "assistant");
    let mut content = String::new();
    let mut refusal: Option<String> = None;
    let mut length = 0_u64;
    let mut citations: Vec<(&Citation, (u64, u64))> = Vec::new();
    for (at, part) in choice.parts.iter().enumerate() {
        lose_of_part(part, &|| format!("choices[{}].parts[{at}]", choice.index), losses);
        match &part.kind {
            PartKind::Text { text, citations: cited } => {
                let from = length;
                length += text.chars().count() as u64;
                content.push_str(text);
                citations.extend(cited.iter().map(|citation| (citation, place(citation, from, length))));
            }
            PartKind::Refusal(text) => refusal.get_or_insert_default().push_str(text),
            PartKind::Opaque(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::ToolResult(_) => {
                let why = "the dialect's answers have no such part";
                losses.dropped(Subject::Content, format!("choices[{}].parts", choice.index), why);
            }
            PartKind::Image(_) | PartKind::Speech(_) | PartKind::Reasoning(_) | PartKind::ToolCall(_) => {}
        }
    }
    let has_text = choice.parts.iter().any(|part| matches!(part.kind, PartKind::Text { .. }));
    message.member("content", &has_text.then_some(&content));
    message.member("refusal", &refusal);
    encode_thinking(message, choice);
    encode_citations(message, &citations, losses);
    encode_media(message, choice, losses);
    encode_calls(message, choice, losses);
    restore_nested(message, &choice.extras, DIALECT, "message");
}

/// Notes what an answer has no place for beside the parts themselves. Calls and thoughts have theirs.
pub(super) fn lose_of_part(part: &Part, level: &dyn Fn() -> String, losses: &mut Losses) {
    let signs = matches!(part.kind, PartKind::ToolCall(_) | PartKind::Reasoning(_));
    if part.signature.is_some() && !signs {
        let why = "the dialect signs nothing but thinking";
        losses.dropped(Subject::State, format!("{}.signature", level()), why);
    }
    if !part.extras.is_of(DIALECT) && part.tool_call().is_none() {
        lose_extras(&part.extras, level, losses);
    }
}

/// Where a citation's text stands in the whole content.
pub(super) fn place(citation: &Citation, from: u64, to: u64) -> (u64, u64) {
    citation.span.map_or((from, to), |(start, end)| (from.saturating_add(start), from.saturating_add(end)))
}

/// As the provider wrote it, where it is one of this dialect; in full otherwise.
fn encode_thinking(message: &mut Object<'_>, choice: &Choice) {
    let all = form::REASONING_DETAILS | form::REASONING_CONTENT;
    let written = choice.extras.form(DIALECT);
    let form = if written == 0 { all } else { written };
    let thoughts = choice.parts.iter().filter(|part| matches!(part.kind, PartKind::Reasoning(_)));
    if thoughts.clone().next().is_some() {
        reasoning::encode(message, form, thoughts);
    }
}

fn encode_citations(message: &mut Object<'_>, citations: &[(&Citation, (u64, u64))], losses: &mut Losses) {
    if citations.is_empty() {
        return;
    }
    message.array("annotations", |array| {
        for (citation, place) in citations {
            encode_citation(array, citation, *place, losses);
        }
    });
}

/// Writes a citation of a page; the dialect has no other.
pub(super) fn encode_citation(
    array: &mut Array<'_>,
    citation: &Citation,
    (start, end): (u64, u64),
    losses: &mut Losses,
) {
    let Some(url) = &citation.url else {
        let why = "the dialect cites pages with an address only";
        return losses.dropped(Subject::Content, "citations", why);
    };
    array.object(|object| {
        object.member("type", "url_citation");
        object.object("url_citation", |object| {
            object.member("url", url);
            object.member("title", citation.title.as_deref().unwrap_or_default());
            object.member("start_index", &start);
            object.member("end_index", &end);
            object.optional("content", citation.cited_text.as_ref());
            restore(object, &citation.extras, DIALECT, &|| "citations".to_owned(), losses);
        });
    });
}

fn encode_media(message: &mut Object<'_>, choice: &Choice, losses: &mut Losses) {
    let images = || {
        choice
            .parts
            .iter()
            .filter_map(|part| if let PartKind::Image(media) = &part.kind { Some(media) } else { None })
    };
    if images().next().is_some() {
        message.array("images", |array| images().for_each(|media| encode_image(array, media, losses)));
    }
    let mut speeches = choice
        .parts
        .iter()
        .filter_map(|part| if let PartKind::Speech(speech) = &part.kind { Some(speech) } else { None });
    if let Some(speech) = speeches.next() {
        message.object("audio", |audio| {
            audio.member("id", speech.id.as_deref().unwrap_or_default());
            audio.member("data", &speech.data);
            audio.member("transcript", &speech.transcript);
            audio.member("expires_at", &speech.expires_at.unwrap_or_default());
        });
    }
    if speeches.next().is_some() {
        losses.dropped(Subject::Content, "audio", "one piece of speech a message");
    }
}

/// Writes a picture of an answer, as OpenRouter does.
pub(super) fn encode_image(array: &mut Array<'_>, media: &Media, losses: &mut Losses) {
    let Some(url) = url(&media.source, media.media_type.as_ref()) else {
        return losses.dropped(Subject::Content, "images", "the dialect has no pictures by file id");
    };
    array.object(|image| {
        image.member("type", "image_url");
        image.object("image_url", |address| address.member("url", &url));
    });
}

fn encode_calls(message: &mut Object<'_>, choice: &Choice, losses: &mut Losses) {
    if !choice.has_tool_calls() {
        return;
    }
    message.array("tool_calls", |array| {
        for (place, part) in choice.parts.iter().enumerate() {
            let Some(call) = part.tool_call() else { continue };
            array.object(|object| {
                object.member("id", &*call_id(&call.id, choice.index, place));
                let (kind, payload) = match call.kind {
                    ToolCallKind::Function => ("function", "arguments"),
                    ToolCallKind::Freeform => ("custom", "input"),
                };
                object.member("type", kind);
                object.object(kind, |inner| {
                    inner.member("name", &call.name);
                    inner.member(payload, &call.arguments);
                    restore_nested(inner, &part.extras, DIALECT, kind);
                });
                if let Some(state) = &part.signature {
                    if state.dialect == trunkline_domain::Dialect::GeminiGenerate {
                        write_thought_signature(object, &state.value);
                    } else {
                        let path = format!("choices[{}].parts[{place}].signature", choice.index);
                        losses.dropped(Subject::State, path, "the dialect signs no tool calls");
                    }
                }
                let level = || format!("choices[{}].parts[{place}]", choice.index);
                restore(object, &part.extras, DIALECT, &level, losses);
            });
        }
    });
}

/// The id of a call; one made from its place where the provider gives none.
pub(super) fn call_id(id: &str, choice: u32, place: usize) -> Cow<'_, str> {
    if id.is_empty() { format!("call_{choice}_{place}").into() } else { id.into() }
}
