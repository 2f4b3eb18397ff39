//! The tools of a request: which there are, and which is called.

use serde_json::{Map, Value};

use super::{kind, text};
use crate::fake_provider::openai::strict::Findings;
use crate::fake_provider::speech::sample;

/// The longest name.
const NAME_MAX: usize = 64;

/// All tools: those that items bring, then the request's own.
pub(super) fn all<'a>(body: &'a Map<String, Value>, input: &'a [Value]) -> Vec<&'a Value> {
    let added = input.iter().filter(|item| kind(item) == "additional_tools");
    let lists = added.map(|item| item.get("tools")).chain([body.get("tools")]);
    lists.flatten().filter_map(Value::as_array).flatten().collect()
}

/// Checks them.
pub(super) fn check(tools: &[&Value], findings: &mut Findings) {
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        let needs_name = match kind(tool) {
            "function" | "custom" | "namespace" => true,
            "web_search" | "tool_search" | "image_generation" | "local_shell" | "mcp" => false,
            _ => {
                findings.invalid(&path, "invalid_value", format!("Invalid value for '{path}'."));
                false
            }
        };
        let name = text(tool, "name").unwrap_or_default();
        let proper = !name.is_empty()
            && name.len() <= NAME_MAX
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if needs_name && !proper {
            findings.invalid(&path, "invalid_value", format!("Invalid '{path}.name'."));
        }
    }
}

/// A tool that may be called.
pub(super) struct Callable<'a> {
    /// The namespace and a point before it, if it is in one.
    pub(super) name: String,
    tool: &'a Value,
}

impl Callable<'_> {
    /// Whether it takes any text.
    pub(super) fn is_custom(&self) -> bool {
        kind(self.tool) == "custom"
    }

    fn arguments(&self) -> String {
        let any = if self.is_custom() { "a text" } else { "{}" };
        self.tool.get("parameters").map_or_else(|| any.to_owned(), |schema| sample(schema).to_string())
    }
}

/// Those that may be called.
pub(super) fn callable<'a>(tools: &[&'a Value]) -> Vec<Callable<'a>> {
    let mut all = Vec::new();
    for &tool in tools {
        let name = text(tool, "name").unwrap_or_default();
        match kind(tool) {
            "namespace" => {
                let inside = tool.get("tools").and_then(Value::as_array).into_iter().flatten();
                let named = |tool: &'a Value| {
                    Some(Callable { name: format!("{name}.{}", text(tool, "name")?), tool })
                };
                all.extend(inside.filter_map(named));
            }
            "function" | "custom" => all.push(Callable { name: name.to_owned(), tool }),
            _ => {}
        }
    }
    all
}

/// Names and arguments of those to call, if one must be.
pub(super) fn forced(choice: Option<&Value>, tools: &[Callable<'_>]) -> Vec<(String, String)> {
    if choice.and_then(Value::as_str) != Some("required") {
        return Vec::new();
    }
    tools.iter().map(|tool| (tool.name.clone(), tool.arguments())).collect()
}
