//! Writing `system`, `messages` and the blocks in them.

use trunkline_domain::Text;
use trunkline_domain::chat::{
    CacheMark, ChatRequest, Document, DocumentContent, Extras, Media, MediaSource, Part, PartKind, Role,
    ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::blocks::is_bare_text;
use super::{DIALECT, citations, form, models};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

/// A part and its place: turn, part.
type Placed<'a> = (&'a Part, (usize, usize));

/// A message to be written.
struct Message<'a> {
    role: &'static str,
    parts: Vec<Placed<'a>>,
    /// How its content was spelled.
    form: u32,
    /// What was kept of it, and whether among what was kept of its first part.
    extras: (&'a Extras, Kept),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    WithTurn,
    WithPart,
}

/// How many of the leading turns go into `system`.
pub(super) fn hoisted(request: &ChatRequest) -> usize {
    let (instructions, _) = request.instructions();
    instructions.iter().take_while(|turn| turn.extras.form(DIALECT) & form::MESSAGE == 0).count()
}

/// Writes `system`.
pub(super) fn system(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let turns = request.turns.get(..hoisted(request)).unwrap_or_default();
    let Some(first) = turns.first() else { return };
    for (at, turn) in turns.iter().enumerate() {
        lose_of_turn(turn, at, losses);
        lose_extras_of(&turn.extras, at, losses);
    }
    let mut writer = Writer { target, losses };
    let parts = turns.iter().enumerate().flat_map(|(at, turn)| placed(turn, at));
    let parts: Vec<_> = parts.filter(|placed| writer.keeps(placed)).collect();
    let form = if turns.len() == 1 { first.extras.form(DIALECT) } else { 0 };
    if !parts.is_empty() || form & form::CONTENT_EMPTY != 0 {
        writer.content(object, "system", parts, form);
    }
}

/// Writes the conversation.
pub(super) fn messages(
    array: &mut Array<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let mut messages: Vec<Message<'_>> = Vec::new();
    let mut before = None;
    for (at, turn) in request.turns.iter().enumerate().skip(hoisted(request)) {
        lose_of_turn(turn, at, losses);
        if continues(before, turn) {
            lose_extras_of(&turn.extras, at, losses);
        } else {
            let role = role(turn, at, target, losses);
            let form = turn.extras.form(DIALECT);
            messages.push(Message { role, parts: Vec::new(), form, extras: (&turn.extras, Kept::WithTurn) });
        }
        for (place, placed) in placed(turn, at).enumerate() {
            let (part, _) = placed;
            if place > 0 && turn.role == Role::Tool && part.extras.form(DIALECT) & form::APART != 0 {
                let extras = (&part.extras, Kept::WithPart);
                messages.push(Message { role: "user", parts: Vec::new(), form: 0, extras });
            }
            if let Some(message) = messages.last_mut() {
                message.parts.push(placed);
            }
        }
        before = Some(turn.role);
    }
    for message in messages {
        Writer { target, losses }.message(array, message);
    }
}

fn placed(turn: &Turn, at: usize) -> impl Iterator<Item = Placed<'_>> {
    turn.parts.iter().enumerate().map(move |(place, part)| (part, (at, place)))
}

/// Whether a turn shares the message of the one before.
fn continues(before: Option<Role>, turn: &Turn) -> bool {
    let form = turn.extras.form(DIALECT);
    match (before, turn.role) {
        (Some(Role::Tool), Role::User) => form & form::APART == 0,
        (Some(Role::User), Role::Tool) => form & form::JOINED != 0,
        _ => false,
    }
}

fn role(turn: &Turn, at: usize, target: &EncodeTarget<'_>, losses: &mut Losses) -> &'static str {
    match turn.role {
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
        Role::System | Role::Developer => {
            if turn.extras.form(DIALECT) & form::MESSAGE != 0 || models::takes_system_messages(target.model) {
                return "system";
            }
            let why = "the model takes instructions at the head only: here they come as the user's";
            losses.adapted(Subject::Content, format!("turns[{at}]"), why);
            "user"
        }
    }
}

fn lose_of_turn(turn: &Turn, at: usize, losses: &mut Losses) {
    if turn.name.is_some() {
        let why = "the dialect has no names of participants";
        losses.dropped(Subject::Other, format!("turns[{at}].name"), why);
    }
}

/// Notes what another dialect kept of a turn that becomes no message of its own.
fn lose_extras_of(extras: &Extras, at: usize, losses: &mut Losses) {
    if !extras.is_of(DIALECT) {
        lose_extras(extras, &|| format!("turns[{at}]"), losses);
    }
}

/// Writes content, with what it loses.
struct Writer<'a> {
    target: &'a EncodeTarget<'a>,
    losses: &'a mut Losses,
}

impl Writer<'_> {
    fn message(&mut self, array: &mut Array<'_>, message: Message<'_>) {
        let said = message.parts.len();
        let parts: Vec<_> = message.parts.into_iter().filter(|placed| self.keeps(placed)).collect();
        // A message of which nothing is left would be refused.
        if said > 0 && parts.is_empty() {
            return;
        }
        let at = parts.first().map_or(0, |(_, (at, _))| *at);
        array.object(|object| {
            object.member("role", message.role);
            self.content(object, "content", parts, message.form);
            match message.extras {
                (extras, Kept::WithTurn) => {
                    restore(object, extras, DIALECT, &|| format!("turns[{at}]"), self.losses);
                }
                (extras, Kept::WithPart) => restore_nested(object, extras, DIALECT, "message"),
            }
        });
    }

    /// Content: a string where one piece of plain text is all, blocks otherwise.
    fn content(&mut self, object: &mut Object<'_>, key: &str, parts: Vec<Placed<'_>>, form: u32) {
        let as_array = form & form::CONTENT_ARRAY != 0;
        match &*parts {
            [] if !as_array => object.member(key, ""),
            [(part, _)] if !as_array && is_bare_text(part) => {
                if let PartKind::Text { text, .. } = &part.kind {
                    object.member(key, text);
                }
            }
            _ => object.array(key, |array| {
                for (part, (at, place)) in parts {
                    self.part(array, part, &format!("turns[{at}].parts[{place}]"));
                }
            }),
        }
    }

    /// Whether a part can be written; notes it where it cannot.
    fn keeps(&mut self, (part, (at, place)): &Placed<'_>) -> bool {
        self.keeps_at(part, &|| format!("turns[{at}].parts[{place}]"))
    }

    fn keeps_at(&mut self, part: &Part, path: &dyn Fn() -> String) -> bool {
        let (subject, why) = match &part.kind {
            // Google's streams end in a text that says nothing, and its clients send it back; here it would be refused.
            PartKind::Text { text, .. } if text.is_empty() && !part.extras.is_of(DIALECT) => {
                if part.signature.is_none() {
                    return false;
                }
                (Subject::State, "the dialect signs nothing but thinking")
            }
            PartKind::Text { .. }
            | PartKind::Refusal(_)
            | PartKind::Image(_)
            | PartKind::Document(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_) => return true,
            PartKind::Reasoning(_) => {
                let unsigned = form::UNSIGNED | form::EMPTY_SIGNATURE;
                let accepted =
                    part.signature.as_ref().is_some_and(|state| self.target.accepts(state, DIALECT));
                if accepted || (part.signature.is_none() && part.extras.form(DIALECT) & unsigned != 0) {
                    return true;
                }
                (Subject::State, "thinking is taken back with the signature of its own provider only")
            }
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => return true,
            PartKind::Audio(_) | PartKind::Video(_) | PartKind::Speech(_) | PartKind::Opaque(_) => {
                (Subject::Content, "the dialect has no such content")
            }
        };
        self.losses.dropped(subject, path(), why);
        false
    }

    /// Writes a block.
    fn part(&mut self, array: &mut Array<'_>, part: &Part, path: &str) {
        if let PartKind::Opaque(opaque) = &part.kind {
            return array.raw(&opaque.raw);
        }
        if part.signature.is_some() && !matches!(part.kind, PartKind::Reasoning(_)) {
            let why = "the dialect signs nothing but thinking";
            self.losses.dropped(Subject::State, format!("{path}.signature"), why);
        }
        array.object(|object| {
            match &part.kind {
                PartKind::Text { text, citations } => {
                    object.member("type", "text");
                    object.member("text", text);
                    self.citations(object, part, citations, path);
                }
                PartKind::Refusal(text) => {
                    let why = "the dialect has no refusals apart: it becomes text";
                    self.losses.adapted(Subject::Content, path.to_owned(), why);
                    object.member("type", "text");
                    object.member("text", text);
                }
                PartKind::Image(media) => self.image(object, part, media, path),
                PartKind::Document(document) => self.document(object, part, document, path),
                PartKind::Reasoning(thought) => {
                    super::thinking::encode(object, thought, part);
                }
                PartKind::ToolCall(call) => write_call(object, call, path, self.losses),
                PartKind::ToolResult(result) => self.result(object, part, result, path),
                PartKind::Audio(_) | PartKind::Video(_) | PartKind::Speech(_) | PartKind::Opaque(_) => {}
            }
            if let Some(cache) = &part.cache {
                write_mark(object, cache, &part.extras, path, self.losses);
            }
            restore(object, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
        });
    }

    fn citations(
        &mut self,
        object: &mut Object<'_>,
        part: &Part,
        all: &[trunkline_domain::chat::Citation],
        path: &str,
    ) {
        let own = || all.iter().filter(|citation| citation.extras.is_of(DIALECT));
        if own().count() < all.len() {
            let why = "the provider takes back its own citations only";
            self.losses.dropped(Subject::State, format!("{path}.citations"), why);
        }
        if own().next().is_some() || part.extras.form(DIALECT) & form::NO_CITATIONS != 0 {
            object.array("citations", |array| citations::encode_all(array, own(), self.losses));
        }
    }

    fn image(&mut self, object: &mut Object<'_>, part: &Part, media: &Media, path: &str) {
        object.member("type", "image");
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            let why = "the dialect does not say how closely to look";
            self.losses.dropped(Subject::Other, format!("{path}.detail"), why);
        }
        source(object, part, &media.source, media.media_type.as_ref());
    }

    fn document(&mut self, object: &mut Object<'_>, part: &Part, document: &Document, path: &str) {
        object.member("type", "document");
        match &document.content {
            DocumentContent::Media(media) => source(object, part, media, document.media_type.as_ref()),
            DocumentContent::Text(text) => object.object("source", |object| {
                object.member("type", "text");
                object.member("media_type", document.media_type.as_deref().unwrap_or("text/plain"));
                object.member("data", text);
                restore_nested(object, &part.extras, DIALECT, "source");
            }),
            DocumentContent::Parts(parts) => object.object("source", |object| {
                object.member("type", "content");
                let as_string = part.extras.form(DIALECT) & form::CONTENT_STRING != 0;
                match &**parts {
                    [Part { kind: PartKind::Text { text, .. }, .. }] if as_string => {
                        object.member("content", text);
                    }
                    parts => object.array("content", |array| self.inner(array, parts, path)),
                }
                restore_nested(object, &part.extras, DIALECT, "source");
            }),
        }
        object.optional("title", document.name.as_ref());
        object.optional("context", document.context.as_ref());
        if document.citations.is_some() || part.extras.form(DIALECT) & form::CITATIONS != 0 {
            object.object("citations", |config| {
                config.optional("enabled", document.citations);
                restore_nested(config, &part.extras, DIALECT, "citations");
            });
        }
    }

    fn result(&mut self, object: &mut Object<'_>, part: &Part, result: &ToolResult, path: &str) {
        object.member("type", "tool_result");
        object.member("tool_use_id", &*call_id(&result.call_id, path));
        let form = part.extras.form(DIALECT);
        match &*result.content {
            [] if form & form::CONTENT_EMPTY == 0 => {}
            [] if form & form::CONTENT_ARRAY == 0 => object.member("content", ""),
            [only] if form & form::CONTENT_ARRAY == 0 && is_bare_text(only) => {
                if let PartKind::Text { text, .. } = &only.kind {
                    object.member("content", text);
                }
            }
            parts => object.array("content", |array| self.inner(array, parts, path)),
        }
        object.optional("is_error", result.is_error);
    }

    /// Parts within a part.
    fn inner(&mut self, array: &mut Array<'_>, parts: &[Part], path: &str) {
        for (place, part) in parts.iter().enumerate() {
            let path = format!("{path}.content[{place}]");
            if self.keeps_at(part, &|| path.clone()) {
                self.part(array, part, &path);
            }
        }
    }
}

fn source(object: &mut Object<'_>, part: &Part, source: &MediaSource, media_type: Option<&Text>) {
    object.object("source", |object| {
        match source {
            MediaSource::Base64(data) => {
                object.member("type", "base64");
                object.optional("media_type", media_type);
                object.member("data", data);
            }
            MediaSource::Url(url) => {
                object.member("type", "url");
                object.member("url", url);
            }
            MediaSource::File(id) => {
                object.member("type", "file");
                object.member("file_id", id);
            }
        }
        restore_nested(object, &part.extras, DIALECT, "source");
    });
}

/// Writes a mark. The dialect has two times to live, the longer of which stands for every other one.
pub(super) fn write_mark(
    object: &mut Object<'_>,
    cache: &CacheMark,
    extras: &Extras,
    path: &str,
    losses: &mut Losses,
) {
    object.object("cache_control", |mark| {
        mark.member("type", "ephemeral");
        match cache.ttl.as_deref() {
            None => {}
            Some(ttl @ ("5m" | "1h")) => mark.member("ttl", ttl),
            Some(_) => {
                let why = "the dialect caches for 5m or 1h";
                losses.adapted(Subject::Cache, format!("{path}.cache.ttl"), why);
                mark.member("ttl", "1h");
            }
        }
        restore_nested(mark, extras, DIALECT, "cache_control");
    });
}

/// Writes the members of a tool call. The dialect takes an object; what is none is wrapped in one.
pub(super) fn write_call(object: &mut Object<'_>, call: &ToolCall, path: &str, losses: &mut Losses) {
    object.member("type", "tool_use");
    object.member("id", &*call_id(&call.id, path));
    object.member("name", &call.name);
    let raw = trunkline_domain::chat::RawJson::parse(&call.arguments);
    let is_function = call.kind == ToolCallKind::Function;
    match raw.filter(|raw| is_function && raw.get().starts_with('{')) {
        Some(raw) => object.raw("input", &raw),
        None if call.arguments.is_empty() => object.object("input", |_| {}),
        None => {
            lose_form(path, losses);
            let member = if is_function { "arguments" } else { "input" };
            object.object("input", |input| input.member(member, &call.arguments));
        }
    }
}

/// Notes that arguments were no object.
pub(super) fn lose_form(path: &str, losses: &mut Losses) {
    let why = "the dialect's arguments are an object: they are wrapped in one";
    losses.adapted(Subject::Tools, format!("{path}.arguments"), why);
}

/// An id the dialect takes: letters, digits, `_` and `-`. One made from the call's place where there is none.
pub(super) fn call_id(id: &str, path: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let id: String = if id.is_empty() { path } else { id }.chars().map(plain).collect();
    if id.is_empty() { "call".to_owned() } else { id }
}
