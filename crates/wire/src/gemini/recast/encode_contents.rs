//! Writing `systemInstruction`, `contents` and the parts in them.

use trunkline_domain::chat::{
    ChatRequest, Document, DocumentContent, Extras, Media, MediaSource, Part, PartKind, RawJson, Role,
    Thought, ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::parts::{UNSIGNED, as_response, is_held, wants_signatures};
use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

/// What stands between pieces of a thought, which the dialect has as one text.
pub(super) const BETWEEN_PIECES: &str = "\n\n";

/// A part and its place: turn, part.
type Placed<'a> = (&'a Part, (usize, usize));

/// A content to be written.
struct Content<'a> {
    role: &'static str,
    parts: Vec<Placed<'a>>,
    form: u32,
    /// What was kept of it, and whether among what was kept of its first part.
    extras: (&'a Extras, Kept),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    WithTurn,
    WithPart,
}

/// Writes `systemInstruction`.
pub(super) fn system(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let (turns, _) = request.instructions();
    let Some(first) = turns.first() else { return };
    let mut writer = Writer { request, target, losses };
    let parts: Vec<Placed<'_>> = turns.iter().enumerate().flat_map(|(at, turn)| placed(turn, at)).collect();
    for (at, turn) in turns.iter().enumerate() {
        lose_of_turn(turn, at, writer.losses);
        if at > 0 && !turn.extras.is_of(DIALECT) {
            lose_extras(&turn.extras, &|| format!("turns[{at}]"), writer.losses);
        }
    }
    object.object("systemInstruction", |object| {
        writer.parts(object, &parts, first.extras.form(DIALECT));
        restore(object, &first.extras, DIALECT, &|| "turns[0]".to_owned(), writer.losses);
    });
}

/// Writes the conversation.
pub(super) fn contents(
    array: &mut Array<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let mut contents: Vec<Content<'_>> = Vec::new();
    let hoisted = request.instructions().0.len();
    let mut before = None;
    for (at, turn) in request.turns.iter().enumerate().skip(hoisted) {
        lose_of_turn(turn, at, losses);
        if continues(before, turn) {
            if !turn.extras.is_of(DIALECT) {
                lose_extras(&turn.extras, &|| format!("turns[{at}]"), losses);
            }
        } else {
            let form = turn.extras.form(DIALECT);
            let role = if turn.role == Role::Assistant { "model" } else { "user" };
            contents.push(Content { role, parts: Vec::new(), form, extras: (&turn.extras, Kept::WithTurn) });
        }
        if turn.role.is_instruction() {
            let why = "the dialect takes instructions at the head only: here they come as the user's";
            losses.adapted(Subject::Content, format!("turns[{at}]"), why);
        }
        for (place, placed) in placed(turn, at).enumerate() {
            let (part, _) = placed;
            let form = part.extras.form(DIALECT);
            if place > 0 && turn.role == Role::Tool && form & form::APART != 0 {
                let extras = (&part.extras, Kept::WithPart);
                contents.push(Content { role: "user", parts: Vec::new(), form, extras });
            }
            if let Some(content) = contents.last_mut() {
                content.parts.push(placed);
            }
        }
        before = Some(turn.role);
    }
    for content in contents {
        Writer { request, target, losses }.content(array, &content);
    }
}

fn placed(turn: &Turn, at: usize) -> impl Iterator<Item = Placed<'_>> {
    turn.parts.iter().enumerate().map(move |(place, part)| (part, (at, place)))
}

/// Whether a turn shares the content of the one before.
fn continues(before: Option<Role>, turn: &Turn) -> bool {
    let form = turn.extras.form(DIALECT);
    match (before, turn.role) {
        (Some(Role::Tool), Role::User) => form & form::APART == 0,
        (Some(Role::User), Role::Tool) => form & form::JOINED != 0,
        _ => false,
    }
}

fn lose_of_turn(turn: &Turn, at: usize, losses: &mut Losses) {
    if turn.name.is_some() {
        let why = "the dialect has no names of participants";
        losses.dropped(Subject::Other, format!("turns[{at}].name"), why);
    }
}

/// Writes content, with what it loses.
struct Writer<'a> {
    request: &'a ChatRequest,
    target: &'a EncodeTarget<'a>,
    losses: &'a mut Losses,
}

impl Writer<'_> {
    fn content(&mut self, array: &mut Array<'_>, content: &Content<'_>) {
        let kept: Vec<Placed<'_>> =
            content.parts.iter().copied().filter(|placed| self.keeps(placed)).collect();
        // A content of which nothing is left would be refused.
        if !content.parts.is_empty() && kept.is_empty() {
            return;
        }
        let at = kept.first().map_or(0, |(_, (at, _))| *at);
        let (extras, place) = content.extras;
        let key = if place == Kept::WithPart { "content.role" } else { "role" };
        let spelled = extras.is_of(DIALECT) && extras.fields().iter().any(|(name, _)| &**name == key);
        array.object(|object| {
            if !spelled && content.form & form::NO_ROLE == 0 {
                object.member("role", content.role);
            }
            self.parts(object, &kept, content.form);
            match place {
                Kept::WithTurn => restore(object, extras, DIALECT, &|| format!("turns[{at}]"), self.losses),
                Kept::WithPart => restore_nested(object, extras, DIALECT, "content"),
            }
        });
    }

    /// Whether a part can be written; notes it where it cannot.
    fn keeps(&mut self, (part, (at, place)): &Placed<'_>) -> bool {
        let (subject, why) = match &part.kind {
            PartKind::Text { .. }
            | PartKind::Refusal(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::Document(_) => return true,
            PartKind::Image(media) | PartKind::Audio(media) | PartKind::Video(media) => {
                if takes(&media.source) {
                    return true;
                }
                (Subject::Content, "a file held by another provider cannot be read")
            }
            PartKind::Reasoning(thought) => {
                let own = part.extras.is_of(DIALECT)
                    || part.signature.as_ref().is_some_and(|state| self.target.accepts(state, DIALECT));
                if !thought.redacted && (own || part.signature.is_none()) {
                    return true;
                }
                (Subject::State, "thinking of another provider is not taken back")
            }
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => return true,
            PartKind::Speech(_) | PartKind::Opaque(_) => {
                (Subject::Content, "the dialect has no such content")
            }
        };
        self.losses.dropped(subject, format!("turns[{at}].parts[{place}]"), why);
        false
    }

    fn parts(&mut self, object: &mut Object<'_>, parts: &[Placed<'_>], form: u32) {
        if parts.is_empty() && form & form::NO_PARTS != 0 {
            return;
        }
        // Of calls at once, the first is signed.
        let first_call = parts.iter().position(|(part, _)| part.tool_call().is_some());
        object.array("parts", |array| {
            for (index, (part, (at, place))) in parts.iter().enumerate() {
                let unsigned = Some(index) == first_call && self.is_unsigned(part);
                self.part(array, part, &format!("turns[{at}].parts[{place}]"), unsigned);
            }
        });
    }

    /// Whether the provider looks for a signature that a call does not have. What this dialect's caller left out is
    /// left out.
    fn is_unsigned(&self, part: &Part) -> bool {
        let looks = wants_signatures(self.target.model);
        match &part.signature {
            Some(state) => looks && !self.target.accepts(state, DIALECT),
            None => looks && part.extras.form(DIALECT) & form::NO_SIGNATURE == 0,
        }
    }

    fn part(&mut self, array: &mut Array<'_>, part: &Part, path: &str, unsigned: bool) {
        if let PartKind::Opaque(opaque) = &part.kind {
            return array.raw(&opaque.raw);
        }
        if part.cache.is_some() {
            let why = "the dialect caches prompts by itself, or under a name";
            self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
        }
        if let PartKind::Document(Document { content: DocumentContent::Parts(parts), .. }) = &part.kind {
            let why = "the dialect has no documents of parts: they come one after the other";
            self.losses.adapted(Subject::Content, path.to_owned(), why);
            for (place, inner) in parts.iter().enumerate() {
                let path = format!("{path}.content[{place}]");
                if self.keeps(&(inner, (0, place))) {
                    self.part(array, inner, &path, false);
                }
            }
            return;
        }
        array.object(|object| {
            if let PartKind::ToolResult(result) = &part.kind {
                self.result(object, part, result, path);
            } else {
                write(object, part, path, self.losses);
            }
            self.signature(object, part, path);
            if unsigned {
                object.member("thoughtSignature", UNSIGNED);
            }
            restore(object, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
        });
    }

    fn signature(&mut self, object: &mut Object<'_>, part: &Part, path: &str) {
        let Some(state) = &part.signature else { return };
        if self.target.accepts(state, DIALECT) {
            object.member("thoughtSignature", &state.value);
        } else {
            let why = "a signature is taken back by its own provider only";
            self.losses.dropped(Subject::State, format!("{path}.signature"), why);
        }
    }

    fn result(&mut self, object: &mut Object<'_>, part: &Part, result: &ToolResult, path: &str) {
        let form = part.extras.form(DIALECT);
        let name = result.name.as_ref().or_else(|| self.request.tool_name(&result.call_id));
        let (texts, media): (Vec<&Part>, Vec<&Part>) = result
            .content
            .iter()
            .partition(|part| matches!(part.kind, PartKind::Text { .. } | PartKind::Refusal(_)));
        let text: Vec<&str> = texts.iter().filter_map(|part| said(part)).collect();
        if text.len() > 1 {
            let why = "a result of the dialect has one text: several are joined";
            self.losses.adapted(Subject::Content, format!("{path}.content"), why);
        }
        let text = text.join("\n");
        object.object("functionResponse", |object| {
            if form & form::NO_ID == 0 {
                object.member("id", &result.call_id);
            }
            object.member("name", name.map_or("", |name| name));
            match as_response(&text) {
                Some(raw) if result.is_error != Some(true) => object.raw("response", &raw),
                _ => object.object("response", |response| {
                    let member = match (result.is_error, form & form::RESULT) {
                        (Some(true), _) => "error",
                        (_, 0) => "output",
                        _ => "result",
                    };
                    response.member(member, &text);
                }),
            }
            if !media.is_empty() || form & form::MEDIA != 0 {
                object.array("parts", |array| self.media(array, &media, path));
            }
            restore_nested(object, &part.extras, DIALECT, "functionResponse");
        });
    }

    /// The media of a result.
    fn media(&mut self, array: &mut Array<'_>, media: &[&Part], path: &str) {
        for part in media {
            let takes = match &part.kind {
                PartKind::Image(media) | PartKind::Audio(media) | PartKind::Video(media) => {
                    takes(&media.source)
                }
                PartKind::Document(document) => !matches!(document.content, DocumentContent::Parts(_)),
                PartKind::Text { .. }
                | PartKind::Refusal(_)
                | PartKind::Speech(_)
                | PartKind::Reasoning(_)
                | PartKind::ToolCall(_)
                | PartKind::ToolResult(_)
                | PartKind::Opaque(_) => false,
            };
            if takes {
                array.object(|object| {
                    write(object, part, path, self.losses);
                    restore(object, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
                });
            } else {
                let why = "a result of the dialect has no such content";
                self.losses.dropped(Subject::Content, format!("{path}.content"), why);
            }
        }
    }
}

fn said(part: &Part) -> Option<&str> {
    if let PartKind::Text { text, .. } | PartKind::Refusal(text) = &part.kind { Some(text) } else { None }
}

/// Whether the provider can be told where a medium is: a file only by an address.
fn takes(source: &MediaSource) -> bool {
    match source {
        MediaSource::Base64(_) | MediaSource::Url(_) => true,
        MediaSource::File(uri) => is_held(uri) || uri.contains("://"),
    }
}

/// Writes the members of a part that is no result, without its signature.
pub(super) fn write(object: &mut Object<'_>, part: &Part, path: &str, losses: &mut Losses) {
    match &part.kind {
        PartKind::Text { text, .. } => {
            object.member("text", text);
            if part.extras.form(DIALECT) & form::THOUGHT_FALSE != 0 {
                object.member("thought", &false);
            }
        }
        PartKind::Refusal(text) => {
            let why = "the dialect has no refusals apart: it becomes text";
            losses.adapted(Subject::Content, path.to_owned(), why);
            object.member("text", text);
        }
        PartKind::Reasoning(thought) => {
            object.member("text", &thought_text(thought));
            object.member("thought", &true);
        }
        PartKind::ToolCall(call) => {
            object.object("functionCall", |object| write_call(object, call, part, path, losses));
            if part.extras.form(DIALECT) & form::THOUGHT_FALSE != 0 {
                object.member("thought", &false);
            }
        }
        PartKind::Image(media) | PartKind::Audio(media) | PartKind::Video(media) => {
            if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
                let why = "the dialect says how closely to look in another way";
                losses.dropped(Subject::Other, format!("{path}.detail"), why);
            }
            write_media(object, media, part);
        }
        PartKind::Document(document) => write_document(object, document, part, path, losses),
        PartKind::Speech(_) | PartKind::ToolResult(_) | PartKind::Opaque(_) => {}
    }
}

/// The thinking as one text: the summaries follow what was thought.
pub(super) fn thought_text(thought: &Thought) -> String {
    let pieces: Vec<&str> = thought.text.iter().chain(&thought.summary).map(|piece| &**piece).collect();
    pieces.join(BETWEEN_PIECES)
}

fn write_media(object: &mut Object<'_>, media: &Media, part: &Part) {
    write_source(
        object,
        &media.source,
        media.media_type.as_deref().or_else(|| guess(&media.source)),
        None,
        part,
    );
}

fn write_source(
    object: &mut Object<'_>,
    source: &MediaSource,
    media_type: Option<&str>,
    name: Option<&str>,
    part: &Part,
) {
    let (member, key, value) = match source {
        MediaSource::Base64(data) => ("inlineData", "data", data),
        MediaSource::Url(uri) | MediaSource::File(uri) => ("fileData", "fileUri", uri),
    };
    object.object(member, |object| {
        object.optional("mimeType", media_type);
        object.member(key, value);
        object.optional("displayName", name);
        restore_nested(object, &part.extras, DIALECT, member);
    });
    if part.extras.form(DIALECT) & form::THOUGHT_FALSE != 0 {
        object.member("thought", &false);
    }
}

/// The type of a picture by the end of its address, where nobody says it: the dialect asks for it.
fn guess(source: &MediaSource) -> Option<&'static str> {
    let MediaSource::Url(url) = source else { return None };
    let path = url.split(['?', '#']).next()?.to_ascii_lowercase();
    let (_, end) = path.rsplit_once('.')?;
    Some(match end {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        _ => return None,
    })
}

fn write_document(
    object: &mut Object<'_>,
    document: &Document,
    part: &Part,
    path: &str,
    losses: &mut Losses,
) {
    let unsaid = [("context", document.context.is_some()), ("citations", document.citations == Some(true))];
    for (member, _) in unsaid.into_iter().filter(|(_, said)| *said) {
        losses.dropped(
            Subject::Content,
            format!("{path}.{member}"),
            "the dialect's documents have no such thing",
        );
    }
    match &document.content {
        DocumentContent::Media(source) => {
            write_source(object, source, document.media_type.as_deref(), document.name.as_deref(), part);
        }
        DocumentContent::Text(text) => {
            if document.name.is_some() {
                let why = "a text of the dialect has no name";
                losses.dropped(Subject::Other, format!("{path}.name"), why);
            }
            object.member("text", text);
        }
        DocumentContent::Parts(_) => {}
    }
}

/// Writes the members of a call. The dialect takes an object; what is none is wrapped in one.
pub(super) fn write_call(
    object: &mut Object<'_>,
    call: &ToolCall,
    part: &Part,
    path: &str,
    losses: &mut Losses,
) {
    let form = part.extras.form(DIALECT);
    if form & form::NO_ID == 0 && !call.id.is_empty() {
        object.member("id", &call.id);
    }
    object.member("name", &call.name);
    if form & form::NO_ARGS == 0 {
        let is_function = call.kind == ToolCallKind::Function;
        match RawJson::parse(&call.arguments).filter(|raw| is_function && raw.get().starts_with('{')) {
            Some(raw) => object.raw("args", &raw),
            None if call.arguments.is_empty() => object.object("args", |_| {}),
            None => {
                let why = "the dialect's arguments are an object: they are wrapped in one";
                losses.adapted(Subject::Tools, format!("{path}.arguments"), why);
                let member = if is_function { "arguments" } else { "input" };
                object.object("args", |args| args.member(member, &call.arguments));
            }
        }
    }
    restore_nested(object, &part.extras, DIALECT, "functionCall");
}
