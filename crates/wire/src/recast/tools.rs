//! Tools that only some dialects have, made functions for the others and made again what they were in the answer.
//!
//! OpenAI's Responses group tools in namespaces, bring some in the middle of the conversation and know tools that take any
//! text; agents depend on all three. A function in a namespace becomes one with the namespace's name before its own, and a
//! tool that takes any text a function of one text. Each is a named loss. What it is not: a translation of tools that a
//! provider runs, which no other provider has.
//!
//! Sources: openai-python 3.57.0, `types/responses/namespace_tool_param.py`, `custom_tool_param.py`,
//! `response_input_item_param.py` (`AdditionalTools`), `response_function_tool_call.py` (`namespace`). Look first at
//! [`FunctionTools::of`].

use std::borrow::Cow;

use serde_json::value::RawValue;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Delta, Extras, Opaque, Part, PartKind, RawJson, StreamEvent, Tool, ToolCall,
    ToolCallKind, ToolChoice, ToolKind,
};
use trunkline_domain::{Dialect, Text};

use super::Losses;
use super::freeform::{Unwrapped, schema, wrapped};
use crate::codec::Subject;
use crate::json::{Str, wire_object};
use crate::responses::recast::tool;

/// The dialect that has them.
const DIALECT: Dialect = Dialect::OpenaiResponses;
const NAMESPACE: &str = "namespace";
/// The longest name of a function that every dialect takes.
const NAME_MAX: usize = 64;

wire_object! {
    struct Holder { "type" => kind: Str, "name" => name: Str, "tools" => tools: Vec<Box<RawValue>> }
}

/// The tools of one request that were made functions.
#[derive(Clone, Debug, Default)]
pub struct FunctionTools {
    made: Vec<Made>,
    /// The freeform call of a stream whose arguments are coming.
    open: Option<Unwrapped>,
}

/// A tool that was made a function.
#[derive(Clone, Debug)]
struct Made {
    /// The function's name.
    function: Text,
    namespace: Option<Text>,
    name: Text,
    kind: ToolCallKind,
}

impl FunctionTools {
    /// The request as a provider of another dialect takes it, and what was made of its tools; `None` where there is nothing
    /// to make, or the dialect has all of it.
    pub fn of(request: &ChatRequest, provider: Dialect, losses: &mut Losses) -> Option<(ChatRequest, Self)> {
        if provider == DIALECT
            || !request.tools.iter().any(is_special) && !request.turns.iter().any(adds_tools)
        {
            return None;
        }
        let mut request = request.clone();
        let mut tools = Self::default();
        let given = std::mem::take(&mut request.tools);
        for (at, tool) in given.into_iter().enumerate() {
            tools.add(tool, &|| format!("tools[{at}]"), &mut request.tools, losses);
        }
        for (at, turn) in request.turns.iter_mut().enumerate() {
            for part in std::mem::take(&mut turn.parts) {
                match added(&part) {
                    Some(added) => {
                        let path = || format!("turns[{at}]");
                        for raw in added {
                            tools.add(tool(&raw), &path, &mut request.tools, losses);
                        }
                    }
                    None => turn.parts.push(of_functions(part)),
                }
            }
        }
        request.turns.retain(|turn| !turn.parts.is_empty());
        if let Some(ToolChoice::Freeform(name)) = &request.tool_choice {
            request.tool_choice = Some(ToolChoice::Function(name.clone()));
        }
        Some((request, tools))
    }

    /// Adds a tool, or all of its namespace.
    fn add(&mut self, given: Tool, path: &dyn Fn() -> String, into: &mut Vec<Tool>, losses: &mut Losses) {
        let Some((namespace, inside)) = namespace(&given) else {
            return into.push(self.function(given, None, path, losses));
        };
        losses.adapted(Subject::Tools, path(), "a namespace's tools have its name before theirs");
        for raw in inside {
            let tool = self.function(tool(&raw), Some(&namespace), path, losses);
            into.push(tool);
        }
    }

    fn function(
        &mut self,
        given: Tool,
        namespace: Option<&Text>,
        path: &dyn Fn() -> String,
        losses: &mut Losses,
    ) -> Tool {
        let (kind, parameters) = match &given.kind {
            ToolKind::Freeform { format } => {
                losses.adapted(
                    Subject::Tools,
                    path(),
                    "a tool that takes any text is a function of one text",
                );
                (ToolCallKind::Freeform, Some(schema(format.as_ref())))
            }
            ToolKind::Function { .. } if namespace.is_some() => (ToolCallKind::Function, None),
            ToolKind::Function { .. } | ToolKind::Opaque(_) => return given,
        };
        let function = flat(namespace, &given.name);
        if function.len() > NAME_MAX {
            losses.dropped(Subject::Tools, path(), "the name of a tool is too long with its namespace's");
        }
        self.made.push(Made {
            function: function.clone(),
            namespace: namespace.cloned(),
            name: given.name,
            kind,
        });
        let kind = match parameters {
            Some(parameters) => ToolKind::Function { parameters, strict: None },
            None => given.kind,
        };
        Tool { name: function, kind, ..given }
    }

    /// Makes the calls of an answer what the caller knows.
    pub fn restore(&self, response: &mut ChatResponse) {
        for part in response.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
            let PartKind::ToolCall(call) = &mut part.kind else { continue };
            if let Some(extras) = self.restore_call(call) {
                part.extras = extras;
                if call.kind == ToolCallKind::Freeform {
                    call.arguments = Unwrapped::whole(&call.arguments);
                }
            }
        }
    }

    /// Makes the calls of a stream what the caller knows.
    pub fn restore_events(&mut self, events: &mut [StreamEvent]) {
        if self.made.is_empty() {
            return;
        }
        for event in events {
            if let StreamEvent::PartStart { part, .. } = event {
                self.open = None;
                let PartKind::ToolCall(call) = &mut part.kind else { continue };
                let Some(extras) = self.restore_call(call) else { continue };
                part.extras = extras;
                if call.kind == ToolCallKind::Freeform {
                    let mut open = Unwrapped::default();
                    call.arguments = open.more(&call.arguments);
                    self.open = Some(open);
                }
            } else if let StreamEvent::PartDelta { delta: Delta::Arguments(more), .. } = event
                && let Some(open) = &mut self.open
            {
                *more = open.more(more);
            }
        }
    }

    fn restore_call(&self, call: &mut ToolCall) -> Option<Extras> {
        let made = self.made.iter().find(|made| made.function == call.name)?;
        call.name = made.name.clone();
        call.kind = made.kind;
        let fields = made.namespace.as_ref().and_then(|name| {
            let name = serde_json::to_string(&**name).ok()?;
            Some((Text::from(NAMESPACE), RawJson::parse(&name)?))
        });
        Some(Extras::new(DIALECT, 0, fields.into_iter().collect()))
    }
}

/// A part of the conversation: calls and results of those tools are of functions.
fn of_functions(mut part: Part) -> Part {
    if let PartKind::ToolCall(call) = &mut part.kind {
        let (namespace, extras) = without_namespace(&part.extras);
        call.name = flat(namespace.as_ref(), &call.name);
        part.extras = extras;
        if call.kind == ToolCallKind::Freeform {
            call.arguments = wrapped(&call.arguments);
            call.kind = ToolCallKind::Function;
        }
    } else if let PartKind::ToolResult(result) = &mut part.kind {
        result.kind = ToolCallKind::Function;
        part.extras = without_namespace(&part.extras).1;
    }
    part
}

/// A function's name, its namespace's before its own.
fn flat(namespace: Option<&Text>, name: &Text) -> Text {
    match namespace {
        Some(namespace) => format!("{namespace}__{name}").into(),
        None => name.clone(),
    }
}

fn is_special(tool: &Tool) -> bool {
    matches!(tool.kind, ToolKind::Freeform { .. }) || namespace(tool).is_some()
}

fn adds_tools(turn: &trunkline_domain::chat::Turn) -> bool {
    turn.parts.iter().any(|part| added(part).is_some())
}

/// A namespace's name and its tools.
fn namespace(tool: &Tool) -> Option<(Text, Vec<Box<RawValue>>)> {
    let ToolKind::Opaque(opaque) = &tool.kind else { return None };
    let holder = holder(opaque, NAMESPACE)?;
    Some((holder.name?.0, holder.tools?))
}

/// The tools that an item of the conversation adds.
fn added(part: &Part) -> Option<Vec<Box<RawValue>>> {
    let PartKind::Opaque(opaque) = &part.kind else { return None };
    holder(opaque, "additional_tools")?.tools
}

fn holder(opaque: &Opaque, wanted: &str) -> Option<Holder> {
    let raw = Some(opaque.raw.get()).filter(|raw| opaque.dialect == DIALECT && raw.contains(wanted))?;
    let holder: Holder = serde_json::from_str(raw).ok()?;
    holder.kind.as_ref().is_some_and(|kind| &*kind.0 == wanted).then_some(holder)
}

/// The namespace a call names, and what else was said of it.
fn without_namespace(extras: &Extras) -> (Option<Text>, Extras) {
    let named = |(name, _): &&(Text, RawJson)| &**name == NAMESPACE;
    let Some((_, raw)) = extras.fields().iter().find(named).filter(|_| extras.is_of(DIALECT)) else {
        return (None, extras.clone());
    };
    let namespace = serde_json::from_str::<Cow<'_, str>>(raw.get()).ok().map(|name| Text::from(&*name));
    let rest = extras.fields().iter().filter(|field| !named(field)).cloned().collect();
    (namespace, Extras::new(DIALECT, extras.form(DIALECT), rest))
}
