//! Writing `messages`.

use trunkline_domain::chat::{
    ChatRequest, Document, DocumentContent, Media, MediaSource, Part, PartKind, RawJson, Role, Thought,
    ToolCall, ToolResult, Turn,
};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::recast::Losses;
use crate::recast::loss::{lose_extras, restore, restore_nested};

/// What stands between texts and thoughts that are joined.
pub(super) const BETWEEN_PIECES: &str = "\n\n";

/// Writes the conversation.
pub(super) fn encode(array: &mut Array<'_>, request: &ChatRequest, losses: &mut Losses) {
    let mut writer = Writer { request, losses };
    for (at, turn) in request.turns.iter().enumerate() {
        match turn.role {
            Role::Tool => writer.results(array, at, turn),
            Role::Assistant => writer.message(array, at, turn, "assistant"),
            Role::User => writer.message(array, at, turn, "user"),
            Role::System | Role::Developer => writer.message(array, at, turn, "system"),
        }
    }
}

/// What a message holds.
#[derive(Default)]
struct Said<'a> {
    texts: Vec<&'a str>,
    thoughts: Vec<String>,
    images: Vec<&'a str>,
    calls: Vec<(&'a Part, &'a ToolCall, String)>,
}

struct Writer<'a> {
    request: &'a ChatRequest,
    losses: &'a mut Losses,
}

impl Writer<'_> {
    fn message(&mut self, array: &mut Array<'_>, at: usize, turn: &Turn, role: &str) {
        if turn.name.is_some() {
            let why = "the dialect has no names of participants";
            self.losses.dropped(Subject::Other, format!("turns[{at}].name"), why);
        }
        let mut said = Said::default();
        for (place, part) in turn.parts.iter().enumerate() {
            self.sort(part, format!("turns[{at}].parts[{place}]"), &mut said);
        }
        let path = format!("turns[{at}]");
        array.object(|message| {
            message.member("role", role);
            self.content(message, &said, turn.extras.form(DIALECT), &path);
            restore(message, &turn.extras, DIALECT, &|| path.clone(), self.losses);
        });
    }

    fn results(&mut self, array: &mut Array<'_>, at: usize, turn: &Turn) {
        for (place, part) in turn.parts.iter().enumerate() {
            let path = format!("turns[{at}].parts[{place}]");
            if let PartKind::ToolResult(result) = &part.kind {
                self.result(array, part, result, &path);
            } else {
                let why = "a tool's turn holds results only";
                self.losses.dropped(Subject::Content, path, why);
            }
        }
    }

    fn result(&mut self, array: &mut Array<'_>, part: &Part, result: &ToolResult, path: &str) {
        self.lose_of_part(part, path);
        if result.is_error == Some(true) {
            let why = "the dialect does not mark a failed tool: its words must do";
            self.losses.adapted(Subject::Tools, format!("{path}.is_error"), why);
        }
        let mut said = Said::default();
        for inner in &result.content {
            self.sort(inner, path.to_owned(), &mut said);
        }
        let form = part.extras.form(DIALECT);
        let name = result.name.as_ref().or_else(|| self.request.tool_name(&result.call_id));
        array.object(|message| {
            message.member("role", "tool");
            self.content(message, &said, form, path);
            message.optional("tool_name", name.filter(|_| form & form::UNNAMED == 0));
            message.optional("tool_call_id", (!result.call_id.is_empty()).then_some(&result.call_id));
            restore(message, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
        });
    }

    /// Content, always as one text, and what stands beside it.
    fn content(&mut self, message: &mut Object<'_>, said: &Said<'_>, form: u32, path: &str) {
        if said.texts.len() > 1 {
            let why = "a message of the dialect has one text: several are joined";
            self.losses.adapted(Subject::Content, path.to_owned(), why);
        }
        if !said.thoughts.is_empty() {
            message.member("thinking", &said.thoughts.join(BETWEEN_PIECES));
        }
        if !said.texts.is_empty() || form & form::NO_CONTENT == 0 {
            message.member("content", &said.texts.join(BETWEEN_PIECES));
        }
        if !said.images.is_empty() {
            message.member("images", &said.images);
        }
        if !said.calls.is_empty() {
            message.array("tool_calls", |array| {
                for (part, call, path) in &said.calls {
                    array.object(|object| write_call(object, part, (call, None), path, self.losses));
                }
            });
        }
    }

    /// Puts a part where a message has it; notes it where it has none.
    fn sort<'a>(&mut self, part: &'a Part, path: String, said: &mut Said<'a>) {
        self.lose_of_part(part, &path);
        if part.tool_call().is_none() {
            lose_extras(&part.extras, &|| path.clone(), self.losses);
        }
        let (subject, why) = match &part.kind {
            PartKind::Text { text, citations } => {
                if !citations.is_empty() {
                    let why = "a request of this dialect carries no citations";
                    self.losses.dropped(Subject::State, format!("{path}.citations"), why);
                }
                return said.texts.push(text);
            }
            PartKind::Refusal(text) => {
                let why = "the dialect has no refusals apart: it becomes text";
                self.losses.adapted(Subject::Content, path, why);
                return said.texts.push(text);
            }
            PartKind::Image(Media { source: MediaSource::Base64(data), detail, .. }) => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    let why = "the dialect does not say how closely to look";
                    self.losses.dropped(Subject::Other, format!("{path}.detail"), why);
                }
                return said.images.push(data);
            }
            PartKind::Image(_) => (Subject::Content, "the dialect takes pictures inline only"),
            PartKind::Reasoning(thought) => match words(thought) {
                Some(words) => return said.thoughts.push(words),
                None => (Subject::State, "withheld by another provider"),
            },
            PartKind::ToolCall(call) => return said.calls.push((part, call, path)),
            PartKind::Document(document) => return self.document(document, path, said),
            PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => (Subject::Content, "the dialect has no such content"),
        };
        self.losses.dropped(subject, path, why);
    }

    /// A document as the text it is.
    fn document<'a>(&mut self, document: &'a Document, path: String, said: &mut Said<'a>) {
        match &document.content {
            DocumentContent::Text(text) => {
                said.texts.push(text);
                self.losses.adapted(Subject::Content, path, "a document of text becomes text");
            }
            DocumentContent::Parts(parts) => {
                for inner in parts {
                    if let PartKind::Text { text, .. } = &inner.kind {
                        said.texts.push(text);
                    } else {
                        let why = "the dialect has no such content";
                        self.losses.dropped(Subject::Content, path.clone(), why);
                    }
                }
                self.losses.adapted(Subject::Content, path, "a document of parts becomes its parts");
            }
            DocumentContent::Media(_) => {
                self.losses.dropped(Subject::Content, path, "the dialect has no such content");
            }
        }
    }

    fn lose_of_part(&mut self, part: &Part, path: &str) {
        if part.signature.is_some() {
            let why = "the dialect signs nothing";
            self.losses.dropped(Subject::State, format!("{path}.signature"), why);
        }
        if part.cache.is_some() {
            let why = "the provider caches prompts by itself";
            self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
        }
    }
}

/// The words of a thought, its summary where they are withheld; `None` where there are none.
pub(super) fn words(thought: &Thought) -> Option<String> {
    let pieces = if thought.text.is_empty() { &thought.summary } else { &thought.text };
    let words = pieces.iter().map(|piece| &**piece).collect::<Vec<_>>().join(BETWEEN_PIECES);
    (!words.is_empty()).then_some(words)
}

/// Writes the members of a call; those of an answer say their place.
pub(super) fn write_call(
    object: &mut Object<'_>,
    part: &Part,
    (call, index): (&ToolCall, Option<usize>),
    path: &str,
    losses: &mut Losses,
) {
    object.optional("id", (!call.id.is_empty()).then_some(&call.id));
    object.object("function", |function| {
        function.optional("index", index);
        function.member("name", &call.name);
        if part.extras.form(DIALECT) & form::NO_ARGUMENTS == 0 || !call.arguments.is_empty() {
            write_arguments(function, call, path, losses);
        }
        restore_nested(function, &part.extras, DIALECT, "function");
    });
    restore(object, &part.extras, DIALECT, &|| path.to_owned(), losses);
}

/// Arguments are an object here; what is none is wrapped in one.
fn write_arguments(function: &mut Object<'_>, call: &ToolCall, path: &str, losses: &mut Losses) {
    let object = RawJson::parse(&call.arguments).filter(|raw| raw.get().starts_with('{'));
    match object {
        Some(raw) => function.raw("arguments", &raw),
        None if call.arguments.trim().is_empty() => function.object("arguments", |_| {}),
        None => {
            let why = "the dialect's arguments are an object: they are wrapped in one";
            losses.adapted(Subject::Tools, format!("{path}.arguments"), why);
            function.object("arguments", |wrapped| wrapped.member("input", &call.arguments));
        }
    }
}
