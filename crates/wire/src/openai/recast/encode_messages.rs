//! Writing `messages`.

use trunkline_domain::Text;
use trunkline_domain::chat::{ChatRequest, Part, PartKind, Role, ToolCallKind, ToolResult, Turn};

use super::content::PartWriter;

use super::{DIALECT, form, reasoning};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::openai::call_ids::fitting;
use crate::quirks::{CacheMarks, DeveloperRole};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

/// Writes the conversation.
pub(super) fn encode(
    array: &mut Array<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    for (at, turn) in request.turns.iter().enumerate() {
        let mut writer = TurnWriter { at, turn, target, losses };
        match turn.role {
            Role::Tool => writer.results(array),
            Role::Assistant => writer.answer(array),
            Role::System | Role::Developer | Role::User => writer.said(array),
        }
    }
}

struct TurnWriter<'a> {
    at: usize,
    turn: &'a Turn,
    target: &'a EncodeTarget<'a>,
    losses: &'a mut Losses,
}

impl TurnWriter<'_> {
    fn said(&mut self, array: &mut Array<'_>) {
        let developer = match self.target.quirks.developer_role {
            DeveloperRole::Known => "developer",
            DeveloperRole::Unknown => "system",
        };
        let role = match self.turn.role {
            Role::System => "system",
            Role::Developer => developer,
            Role::User | Role::Assistant | Role::Tool => "user",
        };
        array.object(|message| {
            message.member("role", role);
            let parts: Vec<(usize, &Part)> = self.turn.parts.iter().enumerate().collect();
            let form = self.turn.extras.form(DIALECT);
            self.content(message, &parts, form, Required::Yes);
            message.optional("name", self.turn.name.as_ref());
            self.rest(message);
        });
    }

    fn answer(&mut self, array: &mut Array<'_>) {
        self.check_order();
        let turn = self.turn;
        let beside = |part: &Part| part.extras.form(DIALECT) & form::IN_CONTENT == 0;
        let refusal =
            turn.parts.iter().position(|part| matches!(part.kind, PartKind::Refusal(_)) && beside(part));
        let in_content: Vec<(usize, &Part)> = turn
            .parts
            .iter()
            .enumerate()
            .filter(|(place, part)| match &part.kind {
                PartKind::Refusal(_) => Some(*place) != refusal,
                PartKind::Reasoning(_) => !beside(part),
                PartKind::ToolCall(_) | PartKind::Speech(_) => false,
                PartKind::Text { .. }
                | PartKind::Image(_)
                | PartKind::Audio(_)
                | PartKind::Video(_)
                | PartKind::Document(_)
                | PartKind::ToolResult(_)
                | PartKind::Opaque(_) => true,
            })
            .collect();
        array.object(|message| {
            message.member("role", "assistant");
            self.thinking(message);
            let form = turn.extras.form(DIALECT);
            let says_more = turn.parts.len() > in_content.len() || !turn.extras.is_empty();
            let required = if says_more { Required::No } else { Required::Yes };
            self.content(message, &in_content, form, required);
            if let Some(Part { kind: PartKind::Refusal(text), .. }) =
                refusal.and_then(|at| turn.parts.get(at))
            {
                message.member("refusal", text);
            }
            message.optional("name", turn.name.as_ref());
            self.speech(message);
            self.calls(message);
            self.rest(message);
        });
    }

    /// Thinking that stands beside the content.
    fn thinking(&mut self, message: &mut Object<'_>) {
        let asked = self.turn.extras.form(DIALECT)
            & (form::REASONING_DETAILS | form::REASONING_CONTENT | form::REASONING);
        let asked_details = asked & form::REASONING_DETAILS != 0;
        let details = self.target.quirks.reasoning_field == Some("reasoning_details");
        let mut kept: Vec<&Part> = Vec::new();
        for (place, part) in self.turn.parts.iter().enumerate() {
            let PartKind::Reasoning(_) = &part.kind else { continue };
            if part.extras.form(DIALECT) & form::IN_CONTENT != 0 {
                continue;
            }
            if !part.extras.is_of(DIALECT) {
                let level = || format!("turns[{}].parts[{place}]", self.at);
                lose_extras(&part.extras, &level, self.losses);
            }
            let Some(state) = &part.signature else {
                kept.push(part);
                continue;
            };
            let foreign = self.target.is_foreign(state);
            let carried =
                if asked == 0 { details && self.target.is_own(state) } else { asked_details && !foreign };
            if !carried {
                self.drop_state(place);
            }
            // Where signatures stand beside the text, thinking goes with a signature that is not taken back.
            let beside = asked_details || (asked == 0 && details);
            if carried || !beside {
                kept.push(part);
            }
        }
        let form = if asked != 0 {
            asked
        } else {
            match self.target.quirks.reasoning_field {
                Some("reasoning_content") => form::REASONING_CONTENT,
                Some("reasoning") => form::REASONING,
                Some("reasoning_details") => form::REASONING_DETAILS,
                Some(_) | None => {
                    if !kept.is_empty() {
                        let path = format!("turns[{}].thinking", self.at);
                        let why = "the provider does not take thinking back";
                        self.losses.dropped(Subject::State, path, why);
                    }
                    return;
                }
            }
        };
        reasoning::encode(message, form, kept.iter().copied());
    }

    fn drop_state(&mut self, place: usize) {
        let path = format!("turns[{}].parts[{place}].signature", self.at);
        self.losses.dropped(Subject::State, path, "signed by another provider, or in another dialect");
    }

    fn speech(&mut self, message: &mut Object<'_>) {
        let speech = |part: &Part| matches!(part.kind, PartKind::Speech(_));
        let mut speeches = self.turn.parts.iter().filter(|part| speech(part));
        let Some(PartKind::Speech(speech)) = speeches.next().map(|part| &part.kind) else { return };
        let path = || format!("turns[{}].speech", self.at);
        match &speech.id {
            Some(id) => message.object("audio", |audio| {
                audio.member("id", id);
                restore_nested(audio, &self.turn.extras, DIALECT, "audio");
            }),
            None => self.losses.dropped(Subject::Content, path(), "speech without an id cannot be sent back"),
        }
        if speeches.next().is_some() {
            self.losses.dropped(Subject::Content, path(), "one piece of speech a message");
        }
    }

    fn calls(&mut self, message: &mut Object<'_>) {
        let calls = || self.turn.parts.iter().enumerate().filter(|(_, part)| part.tool_call().is_some());
        if calls().next().is_none() {
            return;
        }
        let (at, target) = (self.at, self.target);
        let losses = &mut *self.losses;
        message.array("tool_calls", |array| {
            for (place, part) in calls() {
                encode_call(array, part, (at, place), target, losses);
            }
        });
    }

    /// Content: a string where one piece of plain text is all, parts otherwise.
    fn content(&mut self, message: &mut Object<'_>, parts: &[(usize, &Part)], form: u32, required: Required) {
        let as_array = form & form::CONTENT_ARRAY != 0;
        match parts {
            [] if as_array => message.array("content", |_| {}),
            [] if form & form::CONTENT_EMPTY != 0 || required == Required::Yes => {
                message.member("content", "");
            }
            [] => {}
            [(place, part)] if !as_array && self.writer().is_plain(part) => {
                if let PartKind::Text { text, .. } = &part.kind {
                    message.member("content", text);
                }
                let path = format!("turns[{}].parts[{place}]", self.at);
                self.writer().lose(part, &path);
            }
            parts => message.array("content", |array| {
                for (place, part) in parts {
                    let path = format!("turns[{}].parts[{place}]", self.at);
                    self.writer().part(array, part, &path);
                }
            }),
        }
    }

    fn writer(&mut self) -> PartWriter<'_> {
        PartWriter { cache_marks: self.target.quirks.cache_marks, losses: self.losses }
    }

    fn rest(&mut self, message: &mut Object<'_>) {
        let at = self.at;
        restore(message, &self.turn.extras, DIALECT, &|| format!("turns[{at}]"), self.losses);
    }

    /// The dialect has text first and tool calls last.
    fn check_order(&mut self) {
        let mut parts = self.turn.parts.iter().skip_while(|part| part.tool_call().is_none());
        if parts.any(|part| matches!(part.kind, PartKind::Text { .. })) {
            let path = format!("turns[{}]", self.at);
            self.losses.adapted(Subject::Content, path, "text after a tool call is moved before it");
        }
    }

    /// A message a result; what only a user may send follows in a user's message.
    fn results(&mut self, array: &mut Array<'_>) {
        let mut left: Vec<(usize, &Part)> = Vec::new();
        for (place, part) in self.turn.parts.iter().enumerate() {
            if let PartKind::ToolResult(result) = &part.kind {
                self.result(array, (place, part), result, &mut left);
            } else {
                left.push((place, part));
            }
        }
        if left.is_empty() {
            return;
        }
        array.object(|message| {
            message.member("role", "user");
            self.content(message, &left, form::CONTENT_ARRAY, Required::Yes);
        });
    }

    fn result<'a>(
        &mut self,
        array: &mut Array<'_>,
        (place, part): (usize, &'a Part),
        result: &'a ToolResult,
        left: &mut Vec<(usize, &'a Part)>,
    ) {
        let path = format!("turns[{}].parts[{place}]", self.at);
        let form = part.extras.form(DIALECT);
        let as_written = part.extras.is_of(DIALECT);
        let is_media = |part: &Part| {
            matches!(part.kind, PartKind::Image(_) | PartKind::Audio(_) | PartKind::Video(_))
                || matches!(part.kind, PartKind::Document(_))
        };
        let mut content: Vec<(usize, &Part)> = Vec::new();
        for inner in &result.content {
            if is_media(inner) && !as_written && inner.extras.form(DIALECT) == 0 {
                let why = "media of a tool's result follow in a user's message";
                self.losses.adapted(Subject::Tools, path.clone(), why);
                left.push((place, inner));
            } else {
                content.push((place, inner));
            }
        }
        if result.is_error == Some(true) {
            let why = "the dialect does not mark a failed tool: its words must do";
            self.losses.adapted(Subject::Tools, format!("{path}.is_error"), why);
        }
        if part.cache.is_some() {
            let why = "a tool's result takes no cache mark";
            self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
        }
        array.object(|message| {
            message.member("role", "tool");
            message.member("tool_call_id", &*fitting(&result.call_id, self.target.quirks.call_ids));
            self.content(message, &content, form, Required::Yes);
            // The dialect's results have no name; it is that of the call, which has it.
            message.optional("name", result.name.as_ref().filter(|_| form & form::NAMED != 0));
            restore(message, &part.extras, DIALECT, &|| path.clone(), self.losses);
        });
    }
}

/// Whether a member must be there even if it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Required {
    Yes,
    No,
}

/// Writes a tool call of a message.
fn encode_call(
    array: &mut Array<'_>,
    part: &Part,
    (at, place): (usize, usize),
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let Some(call) = part.tool_call() else { return };
    let path = || format!("turns[{at}].parts[{place}]");
    array.object(|object| {
        let unnamed = || Text::from(format!("call_{at}_{place}").as_str());
        let id = if call.id.is_empty() { unnamed() } else { call.id.clone() };
        object.member("id", &*fitting(&id, target.quirks.call_ids));
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
        match &part.signature {
            Some(state)
                if target.is_own(state)
                    || (part.extras.form(DIALECT) & form::EXTRA_CONTENT != 0
                        && !target.is_foreign(state)) =>
            {
                write_thought_signature(object, &state.value);
            }
            Some(_) => {
                let why = "signed by another provider, or in another dialect";
                losses.dropped(Subject::State, format!("{}.signature", path()), why);
            }
            None => {}
        }
        if part.cache.is_some() {
            losses.dropped(Subject::Cache, format!("{}.cache", path()), "a tool call takes no cache mark");
        }
        restore(object, &part.extras, DIALECT, &path, losses);
    });
}

/// Writes Google's signature of a tool call.
pub(super) fn write_thought_signature(object: &mut Object<'_>, signature: &str) {
    object.object("extra_content", |extra| {
        extra.object("google", |google| google.member("thought_signature", signature));
    });
}

/// How cache marks are written where nobody said.
pub(super) fn cache_marks(form: u32, otherwise: CacheMarks) -> CacheMarks {
    match form & (form::BREAKPOINT | form::CACHE_CONTROL) {
        form::BREAKPOINT => CacheMarks::Breakpoint,
        form::CACHE_CONTROL => CacheMarks::CacheControl,
        _ => otherwise,
    }
}
