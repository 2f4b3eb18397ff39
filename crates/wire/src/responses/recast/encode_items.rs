//! Writing `input`: turns into items.

use trunkline_domain::chat::{
    ChatRequest, Extras, Part, PartKind, Role, Thought, ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::content::{PartWriter, Side, lose_signature, text_of};
use super::items::is_item;
use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::quirks::DeveloperRole;
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

/// The turn that is written as `instructions`: the first one, where it is plain text from above.
pub(super) fn instructions(request: &ChatRequest) -> Option<&Turn> {
    let first = request.turns.first().filter(|turn| turn.role == Role::System && turn.name.is_none())?;
    let is_plain =
        |part: &Part| text_of(part).is_some() && part.cache.is_none() && !part.extras.is_of(DIALECT);
    let plain = match &*first.parts {
        [] => true,
        [only] => is_plain(only),
        _ => false,
    };
    let spelled = first.extras.form(DIALECT) != 0 || first.extras.is_of(DIALECT);
    (plain && !spelled).then_some(first)
}

/// Writes the turns from `from` on.
pub(super) fn encode(
    array: &mut Array<'_>,
    request: &ChatRequest,
    from: usize,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    for (at, turn) in request.turns.iter().enumerate().skip(from) {
        TurnWriter { at, turn, target, losses }.items(array);
    }
}

struct TurnWriter<'a> {
    at: usize,
    turn: &'a Turn,
    target: &'a EncodeTarget<'a>,
    losses: &'a mut Losses,
}

impl<'a> TurnWriter<'a> {
    fn items(&mut self, array: &mut Array<'_>) {
        let turn = self.turn;
        if turn.name.is_some() {
            let path = format!("turns[{}].name", self.at);
            self.losses.dropped(Subject::Other, path, "the dialect does not tell participants apart");
        }
        if !turn.extras.is_of(DIALECT) {
            lose_extras(&turn.extras, &|| format!("turns[{}]", self.at), self.losses);
        }
        if turn.parts.is_empty() && turn.role != Role::Tool {
            return self.message(array, &[]);
        }
        let mut run: Vec<(usize, &'a Part)> = Vec::new();
        for (place, part) in turn.parts.iter().enumerate() {
            let apart = part.extras.form(DIALECT) & form::APART != 0;
            if !run.is_empty() && (apart || is_item(part)) {
                self.message(array, &std::mem::take(&mut run));
            }
            if is_item(part) { self.item(array, place, part) } else { run.push((place, part)) }
        }
        if !run.is_empty() {
            self.message(array, &run);
        }
    }

    fn path(&self, place: usize) -> String {
        format!("turns[{}].parts[{place}]", self.at)
    }

    fn message(&mut self, array: &mut Array<'_>, parts: &[(usize, &Part)]) {
        let role = match self.turn.role {
            Role::System => "system",
            Role::Developer if self.target.quirks.developer_role == DeveloperRole::Unknown => "system",
            Role::Developer => "developer",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        // What a message of the model's says of itself is on its first part, for a turn may have several.
        let on_part =
            parts.first().filter(|_| self.turn.role == Role::Assistant).map(|(_, part)| &part.extras);
        let extras = on_part.unwrap_or(&self.turn.extras);
        let form = extras.form(DIALECT);
        array.object(|object| {
            if form & form::TYPED != 0 {
                object.member("type", "message");
            }
            object.member("role", role);
            object.optional("status", form::status(form));
            self.content(object, "content", parts, form);
            match on_part {
                Some(extras) => restore_nested(object, extras, DIALECT, "message"),
                None if extras.is_of(DIALECT) => restore(object, extras, DIALECT, &String::new, self.losses),
                None => {}
            }
        });
    }

    /// A string where one piece of plain text is all, parts otherwise.
    fn content(&mut self, object: &mut Object<'_>, key: &str, parts: &[(usize, &Part)], form: u32) {
        let as_array = form & form::CONTENT_ARRAY != 0;
        let side = if self.turn.role == Role::Assistant { Side::Output } else { Side::Input };
        let mut writer = PartWriter { side, target: self.target, losses: self.losses };
        if parts.is_empty() && !as_array {
            return object.member(key, "");
        }
        let path = |place: usize| format!("turns[{}].parts[{place}]", self.at);
        if let Some(text) = writer.as_string(parts).filter(|_| !as_array) {
            object.member(key, text);
            return parts.iter().for_each(|(place, part)| writer.lose(part, &path(*place)));
        }
        object.array(key, |array| {
            for (place, part) in parts {
                writer.part(array, part, &path(*place));
            }
        });
    }

    fn item(&mut self, array: &mut Array<'_>, place: usize, part: &Part) {
        match &part.kind {
            PartKind::Reasoning(thought) => self.reasoning(array, place, part, thought),
            PartKind::ToolCall(call) => self.call(array, place, part, call),
            PartKind::ToolResult(result) => self.result(array, place, part, result),
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => array.raw(&opaque.raw),
            PartKind::Opaque(_)
            | PartKind::Text { .. }
            | PartKind::Refusal(_)
            | PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_) => {
                let why = "the dialect has no such item";
                self.losses.dropped(Subject::Content, self.path(place), why);
            }
        }
    }

    /// Thinking goes back sealed. Without a seal it is only written where the caller wrote it in this dialect: it may be
    /// known to the provider by its id.
    fn reasoning(&mut self, array: &mut Array<'_>, place: usize, part: &Part, thought: &Thought) {
        let path = self.path(place);
        let form = part.extras.form(DIALECT);
        let own = form & form::OWN != 0;
        let sent = part
            .signature
            .as_ref()
            .filter(|state| self.target.accepts(state, DIALECT) || (own && !self.target.is_foreign(state)));
        if sent.is_none() && (part.signature.is_some() || !own) {
            let why = "thinking that this provider has not sealed is not taken back";
            return self.losses.dropped(Subject::State, path, why);
        }
        self.lose_cache(part, &path);
        array.object(|object| {
            object.member("type", "reasoning");
            match &thought.id {
                Some(id) => object.member("id", id),
                None if own => {}
                None => object.member("id", &format!("rs_{}_{place}", self.at)),
            }
            if form & form::NO_SUMMARY == 0 {
                write_pieces(object, "summary", "summary_text", &thought.summary);
            }
            if !thought.text.is_empty() || form & form::NO_CONTENT != 0 {
                write_pieces(object, "content", "reasoning_text", &thought.text);
            }
            object.optional("encrypted_content", sent.map(|sent| &sent.value));
            object.optional("status", form::status(form));
            restore(object, &part.extras, DIALECT, &|| path.clone(), self.losses);
        });
    }

    fn call(&mut self, array: &mut Array<'_>, place: usize, part: &Part, call: &ToolCall) {
        let path = self.path(place);
        self.lose_cache(part, &path);
        lose_signature(part, &path, self.losses);
        array.object(|object| {
            let (kind, payload) = call_members(call.kind);
            object.member("type", kind);
            if call.id.is_empty() {
                object.member("call_id", &format!("call_{}_{place}", self.at));
            } else {
                object.member("call_id", &call.id);
            }
            object.member("name", &call.name);
            object.member(payload, &call.arguments);
            object.optional("status", form::status(part.extras.form(DIALECT)));
            restore(object, &part.extras, DIALECT, &|| path.clone(), self.losses);
        });
    }

    fn result(&mut self, array: &mut Array<'_>, place: usize, part: &Part, result: &ToolResult) {
        let path = self.path(place);
        let form = part.extras.form(DIALECT);
        self.lose_cache(part, &path);
        if result.is_error == Some(true) {
            let why = "the dialect does not mark a failed tool: its words must do";
            self.losses.adapted(Subject::Tools, format!("{path}.is_error"), why);
        }
        let content: Vec<(usize, &Part)> = result.content.iter().map(|inner| (place, inner)).collect();
        array.object(|object| {
            object.member(
                "type",
                match result.kind {
                    ToolCallKind::Function => "function_call_output",
                    ToolCallKind::Freeform => "custom_tool_call_output",
                },
            );
            object.member("call_id", &result.call_id);
            object.optional("name", result.name.as_ref().filter(|_| form & form::NAMED != 0));
            self.content(object, "output", &content, form);
            object.optional("status", form::status(form));
            restore(object, &part.extras, DIALECT, &|| path.clone(), self.losses);
        });
    }

    fn lose_cache(&mut self, part: &Part, path: &str) {
        if part.cache.is_some() {
            let why = "the dialect marks parts of messages and outputs only";
            self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
        }
    }
}

/// The type of a call's item, and the member that holds what the tool is given.
pub(super) fn call_members(kind: ToolCallKind) -> (&'static str, &'static str) {
    match kind {
        ToolCallKind::Function => ("function_call", "arguments"),
        ToolCallKind::Freeform => ("custom_tool_call", "input"),
    }
}

/// Writes the pieces of a thought.
pub(super) fn write_pieces<T: AsRef<str>>(object: &mut Object<'_>, member: &str, kind: &str, texts: &[T]) {
    object.array(member, |pieces| {
        for text in texts {
            pieces.object(|piece| {
                piece.member("type", kind);
                piece.member("text", text.as_ref());
            });
        }
    });
}

/// What of a turn's own is not written where it becomes `instructions`.
pub(super) fn lose_of_instructions(turn: &Turn, losses: &mut Losses) {
    let none = Extras::default();
    for (part, level) in turn.parts.iter().map(|part| (part, "turns[0].parts[0]")) {
        lose_signature(part, level, losses);
        lose_extras(&part.extras, &|| level.to_owned(), losses);
    }
    let extras = if turn.extras.is_of(DIALECT) { &none } else { &turn.extras };
    lose_extras(extras, &|| "turns[0]".to_owned(), losses);
}
