//! What the simulated models say: plainly that it is simulated, and shortly what was asked.

use serde_json::json;

use super::answer::Thought;
use super::ask::{ChatAsk, Format};
use super::chance::Chance;
use super::model::{Behaviour, Length, MODELS, SandboxModel};
use super::{schema, tokens};

/// Characters of the question that are repeated.
const ECHO_MAX: usize = 80;

const OPENINGS: &[&str] = &["", "Hello! ", "Thank you for trying the sandbox. ", "Here you are. "];

const LONG: &str = "\n\nThe sandbox lives inside the gateway and takes the same way as every provider: it is planned, \
tried, metered and written to the ledger like one. It exists so that chat, streams, tool calls, failover and costs can \
be seen at work without a single key.\n\nThis longer answer is here to show a stream that takes its time. A real model \
would now go on about the matter itself: it would weigh what was said, name what it does not know, and come to a \
conclusion. The sandbox only counts words, so that its usage is honest, and stops when it has said enough.\n\nTo hear \
from a real model, give the gateway a provider's key or the address of a local server, and ask for that model by name.";

/// A chat answer.
pub(super) fn chat(ask: &ChatAsk, chance: &mut Chance) -> Thought {
    let model = ask.text.model;
    let content = match &ask.format {
        Format::Text => {
            let content = chat_text(ask, chance);
            ask.begun.as_deref().and_then(|begun| rest(&content, begun, model)).unwrap_or(content)
        }
        Format::JsonObject => {
            json!({ "simulated": true, "model": model.id, "question": shortened(&ask.question) }).to_string()
        }
        Format::JsonSchema(schema) => schema::instance(schema).to_string(),
    };
    let reasoning = match model.behaviour {
        Behaviour::Reasons => format!(
            "The user wrote {} tokens. This is the sandbox, so there is nothing to find out: I say that the answer is \
             simulated, repeat the question and stop.",
            tokens::count(&ask.question)
        ),
        Behaviour::Answers
        | Behaviour::Flaky
        | Behaviour::Overloaded
        | Behaviour::Cuts
        | Behaviour::Embeds => String::new(),
    };
    Thought { reasoning, content }
}

fn chat_text(ask: &ChatAsk, chance: &mut Chance) -> String {
    let model = ask.text.model;
    let opening = OPENINGS.get(chance.below(OPENINGS.len())).unwrap_or(&"");
    let tool =
        ask.tool_result.as_deref().map(|result| format!(" The tool answered: “{}”.", shortened(result)));
    let long = if model.length == Length::Long { LONG } else { "" };
    format!(
        "{opening}{}{} You wrote: “{}”.{long}",
        disclaimer(model),
        tool.unwrap_or_default(),
        shortened(&ask.question),
    )
}

/// What is left of a model's text for who has said its beginning, be it under another model's name. `None` where it begins
/// otherwise.
fn rest(text: &str, begun: &str, model: &SandboxModel) -> Option<String> {
    let own = format!("sandbox/{};", model.id);
    let begun = MODELS
        .iter()
        .fold(begun.to_owned(), |begun, other| begun.replacen(&format!("sandbox/{};", other.id), &own, 1));
    text.strip_prefix(begun.as_str()).map(str::to_owned)
}

/// A completion of a bare text.
pub(super) fn completion(model: &SandboxModel, prompt: &str, chance: &mut Chance) -> Thought {
    let opening = OPENINGS.get(chance.below(OPENINGS.len())).unwrap_or(&"");
    let long = if model.length == Length::Long { LONG } else { "" };
    let content = format!(" {opening}{} The prompt was: “{}”.{long}", disclaimer(model), shortened(prompt));
    Thought { reasoning: String::new(), content }
}

fn disclaimer(model: &SandboxModel) -> String {
    format!("This is a simulated answer by sandbox/{}; no real model was asked.", model.id)
}

/// One line of at most [`ECHO_MAX`] characters.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(ECHO_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
