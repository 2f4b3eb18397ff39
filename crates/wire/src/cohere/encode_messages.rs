//! Writing `messages`.

use trunkline_domain::chat::{
    ChatRequest, Citation, Document, DocumentContent, Media, MediaSource, Part, PartKind, Role, Thought,
    ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::documents::{is_cited, write_document};
use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::recast::Losses;
use crate::recast::loss::{lose_extras, restore, restore_nested};

/// A part and its place: turn, part.
type Placed<'a> = (&'a Part, (usize, usize));

fn path((at, place): (usize, usize)) -> String {
    format!("turns[{at}].parts[{place}]")
}

/// Writes the conversation.
pub(super) fn encode(array: &mut Array<'_>, request: &ChatRequest, losses: &mut Losses) {
    let mut writer = Writer { request, losses };
    let apart = |turn: &Turn| turn.extras.form(DIALECT) & form::APART != 0;
    let (instructions, _) = request.instructions();
    let hoisted = instructions.iter().take_while(|turn| !apart(turn)).count();
    writer.instructions(array, hoisted);
    for (at, turn) in request.turns.iter().enumerate().skip(hoisted) {
        match turn.role {
            Role::Tool => writer.results(array, at, turn),
            Role::Assistant => writer.answer(array, at, turn),
            Role::User => writer.said(array, at, turn, "user"),
            Role::System | Role::Developer if apart(turn) => writer.said(array, at, turn, "system"),
            Role::System | Role::Developer => {
                let why = "the dialect takes instructions at the head only: here they come as the user's";
                writer.losses.adapted(Subject::Content, format!("turns[{at}]"), why);
                writer.said(array, at, turn, "user");
            }
        }
    }
}

struct Writer<'a> {
    request: &'a ChatRequest,
    losses: &'a mut Losses,
}

impl Writer<'_> {
    /// The turns of instructions at the head, as one message.
    fn instructions(&mut self, array: &mut Array<'_>, count: usize) {
        let turns = self.request.turns.get(..count).unwrap_or_default();
        let Some(first) = turns.first() else { return };
        for (at, turn) in turns.iter().enumerate() {
            self.lose_name(at, turn);
            if at > 0 {
                lose_extras(&turn.extras, &|| format!("turns[{at}]"), self.losses);
            }
        }
        let parts: Vec<_> = turns.iter().enumerate().flat_map(|(at, turn)| placed(turn, at)).collect();
        array.object(|message| {
            message.member("role", "system");
            self.content(message, &parts, first.extras.form(DIALECT), Required::Yes);
            restore(message, &first.extras, DIALECT, &|| "turns[0]".to_owned(), self.losses);
        });
    }

    fn said(&mut self, array: &mut Array<'_>, at: usize, turn: &Turn, role: &str) {
        self.lose_name(at, turn);
        let parts: Vec<_> = placed(turn, at).collect();
        array.object(|message| {
            message.member("role", role);
            self.content(message, &parts, turn.extras.form(DIALECT), Required::Yes);
            restore(message, &turn.extras, DIALECT, &|| format!("turns[{at}]"), self.losses);
        });
    }

    fn answer(&mut self, array: &mut Array<'_>, at: usize, turn: &Turn) {
        self.lose_name(at, turn);
        let mut parts = turn.parts.iter().skip_while(|part| part.tool_call().is_none());
        if parts.any(|part| matches!(part.kind, PartKind::Text { .. })) {
            let why = "text after a tool call is moved before it";
            self.losses.adapted(Subject::Content, format!("turns[{at}]"), why);
        }
        let apart = |part: &Part| part.tool_call().is_some() || is_plan(part);
        let content: Vec<_> = placed(turn, at).filter(|(part, _)| !apart(part)).collect();
        let says_more = content.len() < turn.parts.len();
        array.object(|message| {
            message.member("role", "assistant");
            let required = if says_more { Required::No } else { Required::Yes };
            self.content(message, &content, turn.extras.form(DIALECT), required);
            self.citations(message, &content);
            if let Some(text) = plan_of(&turn.parts) {
                message.member("tool_plan", &text);
            }
            self.calls(message, turn, at);
            restore(message, &turn.extras, DIALECT, &|| format!("turns[{at}]"), self.losses);
        });
    }

    fn citations(&mut self, message: &mut Object<'_>, content: &[Placed<'_>]) {
        let cited: Vec<(&Citation, (usize, usize))> = content
            .iter()
            .flat_map(|(part, at)| citations_of(part).iter().map(move |citation| (citation, *at)))
            .collect();
        for (_, at) in cited.iter().filter(|(citation, _)| !citation.extras.is_of(DIALECT)) {
            let why = "the provider takes back its own citations only";
            self.losses.dropped(Subject::State, format!("{}.citations", path(*at)), why);
        }
        let own = || cited.iter().filter(|(citation, _)| citation.extras.is_of(DIALECT));
        if own().next().is_some() {
            message.array("citations", |array| {
                own().for_each(|(citation, _)| write_citation(array, citation, self.losses));
            });
        }
    }

    fn calls(&mut self, message: &mut Object<'_>, turn: &Turn, at: usize) {
        let calls = || placed(turn, at).filter(|(part, _)| part.tool_call().is_some());
        if calls().next().is_none() {
            return;
        }
        message.array("tool_calls", |array| {
            for (part, (at, place)) in calls() {
                let path = path((at, place));
                self.lose_of_part(part, &path);
                let id = format!("call_{at}_{place}");
                array.object(|object| write_call(object, part, &id, &path, self.losses));
            }
        });
    }

    /// A message a result; pictures, which only a user may send, follow in a user's message.
    fn results(&mut self, array: &mut Array<'_>, at: usize, turn: &Turn) {
        let mut left: Vec<Placed<'_>> = Vec::new();
        for (part, place) in placed(turn, at) {
            if let PartKind::ToolResult(result) = &part.kind {
                self.result(array, (part, place), result, &mut left);
            } else {
                left.push((part, place));
            }
        }
        if !left.is_empty() {
            array.object(|message| {
                message.member("role", "user");
                self.content(message, &left, form::CONTENT_ARRAY, Required::Yes);
            });
        }
    }

    fn result<'a>(
        &mut self,
        array: &mut Array<'_>,
        (part, place): Placed<'a>,
        result: &'a ToolResult,
        left: &mut Vec<Placed<'a>>,
    ) {
        let path = path(place);
        self.lose_of_part(part, &path);
        if result.is_error == Some(true) {
            let why = "the dialect does not mark a failed tool: its words must do";
            self.losses.adapted(Subject::Tools, format!("{path}.is_error"), why);
        }
        let is_image = |part: &Part| matches!(part.kind, PartKind::Image(_));
        // As it was written, where it was written in this dialect.
        let moves = |inner: &Part| is_image(inner) && !part.extras.is_of(DIALECT);
        if result.content.iter().any(moves) {
            let why = "pictures of a tool's result follow in a user's message";
            self.losses.adapted(Subject::Tools, path.clone(), why);
        }
        left.extend(result.content.iter().filter(|inner| moves(inner)).map(|inner| (inner, place)));
        let content: Vec<_> =
            result.content.iter().filter(|inner| !moves(inner)).map(|inner| (inner, place)).collect();
        array.object(|message| {
            message.member("role", "tool");
            message.member("tool_call_id", &result.call_id);
            self.tool_content(message, &content, part);
            restore(message, &part.extras, DIALECT, &|| path.clone(), self.losses);
        });
    }

    /// What a tool said: documents stay documents.
    fn tool_content(&mut self, message: &mut Object<'_>, parts: &[Placed<'_>], result: &Part) {
        let is_document = |part: &Part| {
            matches!(&part.kind, PartKind::Document(document)
                if matches!(document.content, DocumentContent::Text(_)))
        };
        if !parts.iter().any(|(part, _)| is_document(part)) {
            return self.content(message, parts, result.extras.form(DIALECT), Required::Yes);
        }
        message.array("content", |array| {
            for (part, place) in parts {
                let path = path(*place);
                let document =
                    if let PartKind::Document(document) = &part.kind { Some(document) } else { None };
                let Some(document) = document.filter(|_| is_document(part)) else {
                    if self.keeps(&(part, *place)) {
                        self.part(array, part, &path);
                    }
                    continue;
                };
                self.lose_of_part(part, &path);
                self.typed(array, part, &path, "document", |object| {
                    object.object("document", |inner| {
                        write_document(inner, document);
                        restore_nested(inner, &part.extras, DIALECT, "document");
                    });
                });
            }
        });
    }

    /// Content: a string where one piece of plain text is all, an array otherwise.
    fn content(&mut self, message: &mut Object<'_>, parts: &[Placed<'_>], form: u32, required: Required) {
        let as_array = form & form::CONTENT_ARRAY != 0;
        let parts: Vec<_> = parts.iter().filter(|placed| self.keeps(placed)).copied().collect();
        match &*parts {
            [] if form & form::NO_CONTENT != 0 => {}
            [] if form & form::CONTENT_EMPTY != 0 && as_array => message.array("content", |_| {}),
            [] if form & form::CONTENT_EMPTY != 0 || required == Required::Yes => {
                message.member("content", "");
            }
            [] => {}
            [(part, place)] if !as_array && is_plain(part) => {
                if let PartKind::Text { text, .. } = &part.kind {
                    message.member("content", text);
                }
                let path = path(*place);
                self.lose_of_part(part, &path);
                lose_extras(&part.extras, &|| path.clone(), self.losses);
            }
            parts => message.array("content", |array| {
                for (part, place) in parts {
                    self.part(array, part, &path(*place));
                }
            }),
        }
    }

    /// Whether a part can be written; notes it where it cannot.
    fn keeps(&mut self, (part, place): &Placed<'_>) -> bool {
        let (subject, why) = match &part.kind {
            PartKind::Text { .. } | PartKind::Refusal(_) => return true,
            PartKind::Image(media) if !matches!(media.source, MediaSource::File(_)) => return true,
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => return true,
            PartKind::Reasoning(thought) if says(part, thought) => return true,
            PartKind::Reasoning(_) => (Subject::State, "withheld by another provider"),
            PartKind::Document(document) if is_cited(document, self.request) => {
                let why = "a document to be cited stands beside the messages";
                self.losses.adapted(Subject::Content, path(*place), why);
                self.lose_of_part(part, &path(*place));
                return false;
            }
            PartKind::Document(document) if !matches!(document.content, DocumentContent::Media(_)) => {
                return true;
            }
            PartKind::Document(_)
            | PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Speech(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => (Subject::Content, "the dialect has no such content"),
        };
        self.losses.dropped(subject, path(*place), why);
        false
    }

    /// Writes a part as an element of a content array.
    fn part(&mut self, array: &mut Array<'_>, part: &Part, path: &str) {
        self.lose_of_part(part, path);
        match &part.kind {
            PartKind::Text { text, .. } => {
                self.typed(array, part, path, "text", |object| object.member("text", text));
            }
            PartKind::Refusal(text) => {
                let why = "the dialect has no refusals apart: it becomes text";
                self.losses.adapted(Subject::Content, path.to_owned(), why);
                self.typed(array, part, path, "text", |object| object.member("text", text));
            }
            PartKind::Reasoning(thought) => self.typed(array, part, path, "thinking", |object| {
                object.member("thinking", &words(thought));
            }),
            PartKind::Image(media) => self.typed(array, part, path, "image_url", |object| {
                object.object("image_url", |image| {
                    image.optional("url", url(media));
                    image.optional("detail", media.detail.as_ref());
                    restore_nested(image, &part.extras, DIALECT, "image_url");
                });
            }),
            PartKind::Document(document) => self.document(array, part, document, path),
            PartKind::Opaque(opaque) => array.raw(&opaque.raw),
            PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Speech(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_) => {}
        }
    }

    /// A document as the text it is.
    fn document(&mut self, array: &mut Array<'_>, part: &Part, document: &Document, path: &str) {
        match &document.content {
            DocumentContent::Text(text) => {
                let why = "a document of text becomes text";
                self.losses.adapted(Subject::Content, path.to_owned(), why);
                self.typed(array, part, path, "text", |object| object.member("text", text));
            }
            DocumentContent::Parts(parts) => {
                let why = "a document of parts becomes its parts";
                self.losses.adapted(Subject::Content, path.to_owned(), why);
                lose_extras(&part.extras, &|| path.to_owned(), self.losses);
                for inner in parts {
                    if let PartKind::Text { .. } = inner.kind {
                        self.part(array, inner, path);
                    } else {
                        let why = "the dialect has no such content";
                        self.losses.dropped(Subject::Content, path.to_owned(), why);
                    }
                }
            }
            DocumentContent::Media(_) => {}
        }
    }

    fn typed(
        &mut self,
        array: &mut Array<'_>,
        part: &Part,
        path: &str,
        kind: &str,
        payload: impl FnOnce(&mut Object<'_>),
    ) {
        array.object(|object| {
            object.member("type", kind);
            payload(object);
            restore(object, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
        });
    }

    fn lose_of_part(&mut self, part: &Part, path: &str) {
        lose_signature(part, path, self.losses);
        if part.cache.is_some() {
            let why = "the dialect caches prompts by itself";
            self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
        }
    }

    fn lose_name(&mut self, at: usize, turn: &Turn) {
        if turn.name.is_some() {
            let why = "the dialect has no names of participants";
            self.losses.dropped(Subject::Other, format!("turns[{at}].name"), why);
        }
    }
}

/// Whether a member must be there even if it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Required {
    Yes,
    No,
}

fn placed(turn: &Turn, at: usize) -> impl Iterator<Item = Placed<'_>> {
    turn.parts.iter().enumerate().map(move |(place, part)| (part, (at, place)))
}

/// What a text rests on.
pub(super) fn citations_of(part: &Part) -> &[Citation] {
    if let PartKind::Text { citations, .. } = &part.kind { citations } else { &[] }
}

/// Whether a part is text that a string holds.
fn is_plain(part: &Part) -> bool {
    let text = matches!(&part.kind, PartKind::Text { text, .. } if !text.is_empty());
    text && !part.extras.is_of(DIALECT)
}

/// Whether a thought has anything to say, or was written empty.
pub(super) fn says(part: &Part, thought: &Thought) -> bool {
    let empty = part.extras.form(DIALECT) & form::EMPTY != 0;
    empty || thought.text.iter().chain(&thought.summary).any(|piece| !piece.is_empty())
}

/// The words of a thought; its summary where they are withheld.
pub(super) fn words(thought: &Thought) -> String {
    let pieces = if thought.text.is_empty() { &thought.summary } else { &thought.text };
    pieces.iter().map(|piece| &**piece).collect::<Vec<_>>().join("\n\n")
}

/// Whether a thought is a plan.
pub(super) fn is_plan(part: &Part) -> bool {
    matches!(part.kind, PartKind::Reasoning(_)) && part.extras.form(DIALECT) & form::TOOL_PLAN != 0
}

/// The plan among parts.
pub(super) fn plan_of(parts: &[Part]) -> Option<String> {
    let plans = parts.iter().filter(|part| is_plan(part));
    let words: Vec<String> =
        plans
            .filter_map(|part| {
                if let PartKind::Reasoning(thought) = &part.kind { Some(words(thought)) } else { None }
            })
            .collect();
    (!words.is_empty()).then(|| words.join("\n\n"))
}

/// A URL for a picture; a file's id is none.
fn url(media: &Media) -> Option<String> {
    match &media.source {
        MediaSource::Url(url) => Some(url.to_string()),
        MediaSource::Base64(data) => {
            let media_type = media.media_type.as_deref().unwrap_or("image/png");
            Some(format!("data:{media_type};base64,{data}"))
        }
        MediaSource::File(_) => None,
    }
}

/// Notes that a signature is not carried.
pub(super) fn lose_signature(part: &Part, path: &str, losses: &mut Losses) {
    if part.signature.is_some() {
        losses.dropped(Subject::State, format!("{path}.signature"), "the dialect signs nothing");
    }
}

/// Writes a citation of this dialect.
pub(super) fn write_citation(array: &mut Array<'_>, citation: &Citation, losses: &mut Losses) {
    array.object(|object| {
        if let Some((start, end)) = citation.span {
            object.member("start", &start);
            object.member("end", &end);
        }
        restore(object, &citation.extras, DIALECT, &|| "citations".to_owned(), losses);
    });
}

/// Writes the members of a call; `id` is for one that has none.
pub(super) fn write_call(object: &mut Object<'_>, part: &Part, id: &str, path: &str, losses: &mut Losses) {
    let Some(call) = part.tool_call() else { return };
    let form = part.extras.form(DIALECT);
    object.member("id", if call.id.is_empty() { id } else { &call.id });
    if form & form::NO_TYPE == 0 {
        object.member("type", "function");
    }
    object.object("function", |function| {
        function.member("name", &call.name);
        if form & form::NO_ARGUMENTS == 0 || !call.arguments.is_empty() {
            function.member("arguments", &*arguments(call, path, losses));
        }
        restore_nested(function, &part.extras, DIALECT, "function");
    });
    restore(object, &part.extras, DIALECT, &|| path.to_owned(), losses);
}

/// The arguments as the dialect has them: those of a freeform tool are wrapped in an object.
fn arguments<'a>(call: &'a ToolCall, path: &str, losses: &mut Losses) -> std::borrow::Cow<'a, str> {
    match call.kind {
        ToolCallKind::Function => (&*call.arguments).into(),
        ToolCallKind::Freeform => {
            let why = "the dialect's arguments are an object: they are wrapped in one";
            losses.adapted(Subject::Tools, format!("{path}.arguments"), why);
            let mut out = Vec::new();
            crate::json::object(&mut out, |object| object.member("input", &call.arguments));
            String::from_utf8_lossy(&out).into_owned().into()
        }
    }
}
