//! Reading messages: what requests and answers share.

use trunkline_domain::Text;
use trunkline_domain::chat::{Part, PartKind, RawJson, ToolCall, ToolCallKind};

use super::{DIALECT, form};
use crate::json::{Str, wire_object};

wire_object! {
    /// A message of any role.
    pub(super) struct Message {
        "role" => role: Str,
        "content" => content: Str,
        "thinking" => thinking: Str,
        "images" => images: Vec<Str>,
        "tool_calls" => tool_calls: Vec<Call>,
        "tool_name" => tool_name: Str,
        "tool_call_id" => tool_call_id: Str,
    }
}

wire_object! {
    pub(super) struct Call { "id" => id: Str, "function" => function: Function }
}

wire_object! {
    pub(super) struct Function {
        "index" => index: RawJson,
        "name" => name: Str,
        "arguments" => arguments: RawJson,
    }
}

/// What becomes of a call's place among the calls, which its place says too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    /// It is kept, to be written again.
    Kept,
    /// It is passed over.
    Implied,
}

/// A text, empty where there is none.
pub(super) fn text_of(text: Option<Str>) -> Text {
    text.map_or_else(|| Text::from(""), |text| text.0)
}

impl Call {
    /// The canonical call; `None` where it is none.
    pub(super) fn part(self, index: Index) -> Option<Part> {
        let Self { id, function, mut rest } = self;
        let Function { index: place, name, arguments, rest: mut inner } = function?;
        if let (Index::Kept, Some(place)) = (index, place) {
            inner.push("index", place);
        }
        let form = if arguments.is_none() { form::NO_ARGUMENTS } else { 0 };
        if arguments.as_ref().is_some_and(|arguments| !arguments.get().starts_with('{')) {
            return None;
        }
        rest.nest("function", inner);
        let call = ToolCall {
            id: text_of(id),
            name: name?.0,
            kind: ToolCallKind::Function,
            arguments: arguments.map_or_else(|| Text::from(""), |arguments| Text::from(arguments.get())),
        };
        Some(Part { extras: rest.extras(DIALECT, form), ..Part::new(PartKind::ToolCall(call)) })
    }
}
