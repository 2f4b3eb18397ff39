//! Parts, read: those of requests and of answers. A part that is not exactly one known thing is opaque.

use trunkline_domain::Text;
use trunkline_domain::chat::{
    Document, DocumentContent, Media, MediaSource, Minted, Opaque, Part, PartKind, RawJson, Thought,
    ToolCall, ToolCallKind, ToolResult,
};

use super::{DIALECT, form};
use crate::json::{Rest, Str, wire_object};

wire_object! {
    /// A part of any kind.
    pub(super) struct WirePart {
        "text" => text: Str,
        "thought" => thought: bool,
        "thoughtSignature" | "thought_signature" => signature: Str,
        "inlineData" | "inline_data" => inline: Blob,
        "fileData" | "file_data" => file: Blob,
        "functionCall" | "function_call" => call: Call,
        "functionResponse" | "function_response" => response: Response,
    }
}

wire_object! {
    /// Bytes, or where they are.
    pub(super) struct Blob {
        "mimeType" | "mime_type" => mime: Str,
        "data" => data: Str,
        "fileUri" | "file_uri" => uri: Str,
        "displayName" | "display_name" => name: Str,
    }
}

wire_object! {
    pub(super) struct Call { "id" => id: Str, "name" => name: Str, "args" => args: RawJson }
}

wire_object! {
    pub(super) struct Response {
        "id" => id: Str,
        "name" => name: Str,
        "response" => object: RawJson,
        "parts" => parts: Vec<ResponsePart>,
    }
}

wire_object! {
    pub(super) struct ResponsePart {
        "inlineData" | "inline_data" => inline: Blob,
        "fileData" | "file_data" => file: Blob,
    }
}

wire_object! {
    /// The objects a result's text is in by convention.
    struct Said { "output" => output: Str, "error" => error: Str, "result" => result: Str }
}

/// What stands for the signature of a call that never had one:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>. Without it, models since Gemini 3 refuse the call of a
/// conversation that another model began.
pub(in crate::gemini) const UNSIGNED: &str = "skip_thought_signature_validator";

/// Whether a model looks for the signature of a call: those since Gemini 3 do.
pub(in crate::gemini) fn wants_signatures(model: &str) -> bool {
    !model.contains("gemini-1") && !model.contains("gemini-2")
}

/// A part as it was written.
pub(super) fn opaque(raw: RawJson) -> Part {
    PartKind::Opaque(Opaque { dialect: DIALECT, raw }).into()
}

impl WirePart {
    /// The canonical part; `None` where it is not understood.
    pub(super) fn part(mut self) -> Option<Part> {
        let known = [
            self.text.is_some(),
            self.inline.is_some(),
            self.file.is_some(),
            self.call.is_some(),
            self.response.is_some(),
        ];
        let thinks = self.thought == Some(true);
        if known.into_iter().filter(|there| *there).count() != 1 || (thinks && self.text.is_none()) {
            return None;
        }
        let mut rest = std::mem::take(&mut self.rest);
        let mut form = if self.thought == Some(false) { form::THOUGHT_FALSE } else { 0 };
        if self.call.is_some() && self.signature.is_none() {
            form |= form::NO_SIGNATURE;
        }
        let signature = self.signature.take().filter(|state| &*state.0 != UNSIGNED);
        // Thinking may carry another provider's signature, which Google's own client writes in its own alphabet.
        let spelled = |text: Text| if thinks { standard(text) } else { text };
        let signature = signature.map(|state| Minted::unknown(DIALECT, spelled(state.0)));
        let kind = if let Some(Str(text)) = self.text {
            if thinks { thought(text) } else { PartKind::Text { text, citations: Vec::new() } }
        } else if let Some(blob) = self.inline {
            medium(blob, "inlineData", &mut rest)?
        } else if let Some(blob) = self.file {
            medium(blob, "fileData", &mut rest)?
        } else if let Some(call) = self.call {
            call.call(&mut rest, &mut form)?
        } else {
            self.response?.result(&mut rest, &mut form)?
        };
        Some(Part { kind, cache: None, signature, extras: rest.extras(DIALECT, form) })
    }
}

fn thought(text: Text) -> PartKind {
    let text = Some(text).filter(|text| !text.is_empty());
    PartKind::Reasoning(Thought { text: text.into_iter().collect(), ..Thought::default() })
}

/// Media by their MIME type; whatever else comes as bytes or by address is a document.
fn medium(blob: Blob, member: &str, rest: &mut Rest) -> Option<PartKind> {
    let Blob { mime, data, uri, name, rest: mut inner } = blob;
    let source = match (data, uri) {
        (Some(data), None) if member == "inlineData" => MediaSource::Base64(standard(data.0)),
        (None, Some(uri)) if member == "fileData" && is_held(&uri.0) => MediaSource::File(uri.0),
        (None, Some(uri)) if member == "fileData" => MediaSource::Url(uri.0),
        _ => return None,
    };
    let mime = mime.map(|mime| mime.0);
    let class = mime.as_deref().and_then(|mime| mime.split_once('/')).map(|(class, _)| class);
    let kind: fn(Media) -> PartKind = match class {
        Some("image") => PartKind::Image,
        Some("audio") => PartKind::Audio,
        Some("video") => PartKind::Video,
        _ => {
            rest.nest(member, inner);
            return Some(PartKind::Document(Document {
                content: DocumentContent::Media(source),
                media_type: mime,
                name: name.map(|name| name.0),
                context: None,
                citations: None,
            }));
        }
    };
    if let Some(name) = name {
        inner.push("displayName", text_as_json(&name.0)?);
    }
    rest.nest(member, inner);
    Some(kind(Media { source, media_type: mime, detail: None }))
}

/// Bytes in the usual alphabet of base64. Readers of protocol buffers take the one of addresses too, in which Google's own
/// client for Python writes; no other provider does.
fn standard(data: Text) -> Text {
    if data.contains(['-', '_']) { data.replace('-', "+").replace('_', "/").into() } else { data }
}

/// Whether an address is that of a file the provider holds.
pub(super) fn is_held(uri: &str) -> bool {
    uri.starts_with("https://generativelanguage.googleapis.com/") || uri.starts_with("files/")
}

fn text_as_json(text: &str) -> Option<RawJson> {
    serde_json::to_string(text).ok().and_then(|json| RawJson::parse(&json))
}

impl Call {
    fn call(self, rest: &mut Rest, form: &mut u32) -> Option<PartKind> {
        let Self { id, name, args, rest: inner } = self;
        *form |= if id.is_none() { form::NO_ID } else { 0 };
        *form |= if args.is_none() { form::NO_ARGS } else { 0 };
        rest.nest("functionCall", inner);
        Some(PartKind::ToolCall(ToolCall {
            id: id.map_or_else(|| "".into(), |id| id.0),
            name: name?.0,
            kind: ToolCallKind::Function,
            arguments: args.map_or_else(|| "{}".into(), |args| args.get().into()),
        }))
    }
}

impl Response {
    fn result(self, rest: &mut Rest, form: &mut u32) -> Option<PartKind> {
        let Self { id, name, object, parts, rest: inner } = self;
        *form |= if id.is_none() { form::NO_ID } else { 0 };
        let (said, is_error, result) = said(&object?);
        *form |= if result { form::RESULT } else { 0 };
        *form |= if parts.is_some() { form::MEDIA } else { 0 };
        let mut content = vec![Part::text(said)];
        for part in parts.unwrap_or_default() {
            let ResponsePart { inline, file, mut rest } = part;
            let kind = match (inline, file) {
                (Some(blob), None) => medium(blob, "inlineData", &mut rest)?,
                (None, Some(blob)) => medium(blob, "fileData", &mut rest)?,
                _ => return None,
            };
            content.push(Part { extras: rest.extras(DIALECT, 0), ..Part::new(kind) });
        }
        rest.nest("functionResponse", inner);
        Some(PartKind::ToolResult(ToolResult {
            call_id: id.map_or_else(|| "".into(), |id| id.0),
            name: Some(name?.0),
            kind: ToolCallKind::Function,
            content,
            is_error: is_error.then_some(true),
        }))
    }
}

/// The text of a result, whether it is an error's, and whether its member is called `result`.
pub(super) fn said(response: &RawJson) -> (Text, bool, bool) {
    match serde_json::from_str::<Said>(response.get()) {
        Ok(Said { output: Some(text), error: None, result: None, rest }) if rest.is_empty() => {
            (text.0, false, false)
        }
        Ok(Said { output: None, error: Some(text), result: None, rest }) if rest.is_empty() => {
            (text.0, true, false)
        }
        Ok(Said { output: None, error: None, result: Some(text), rest }) if rest.is_empty() => {
            (text.0, false, true)
        }
        _ => (response.get().into(), false, false),
    }
}

/// Whether a text is an object that a result can be as it is: one that reads as itself.
pub(super) fn as_response(text: &str) -> Option<RawJson> {
    let raw = RawJson::parse(text).filter(|raw| raw.get().starts_with('{') && raw.get() == text)?;
    (*said(&raw).0 == *text).then_some(raw)
}
