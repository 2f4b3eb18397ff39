//! A whole answer, made before its first byte leaves: buffered and streamed are two renderings of it, so their usage
//! is the same. Caps and stop sequences are applied here.

use super::ask::{ChatAsk, CompletionAsk, TextAsk, Tool};
use super::chance::Chance;
use super::{schema, text, tokens};

/// What a model would say if nothing stopped it.
#[derive(Clone, Debug, Default)]
pub(super) struct Thought {
    pub(super) reasoning: String,
    pub(super) content: String,
}

/// An answer to one request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Usage,
}

/// One of the answers asked for, in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The prompt, where it was to be echoed: part of the text, not of the tokens generated.
    pub(super) echo: String,
    pub(super) reasoning: Vec<String>,
    pub(super) content: Vec<String>,
    pub(super) calls: Vec<ToolCall>,
    pub(super) finish: &'static str,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
}

/// Tokens in OpenAI's convention: `completion` includes `reasoning`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) prompt: u64,
    pub(super) completion: u64,
    pub(super) reasoning: u64,
}

impl Choice {
    /// How many tokens were generated.
    pub(super) fn tokens(&self) -> usize {
        let called = |call: &ToolCall| tokens::split(&call.name).len() + call.arguments.len();
        self.reasoning.len() + self.content.len() + self.calls.iter().map(called).sum::<usize>()
    }
}

/// Answers a chat request.
pub(super) fn chat(ask: &ChatAsk, chance: &mut Chance) -> Answer {
    let choices = (0..ask.text.choices)
        .map(|_| {
            if ask.calls.is_empty() {
                say(&ask.text, &text::chat(ask, chance), "")
            } else {
                let reasoning = text::chat(ask, chance).reasoning;
                call(&ask.text, &reasoning, &ask.calls, chance)
            }
        })
        .collect();
    answer(&ask.text, choices)
}

/// Answers a completion request: the choices of the first prompt, then those of the second.
pub(super) fn completion(ask: &CompletionAsk, chance: &mut Chance) -> Answer {
    let mut choices = Vec::new();
    for prompt in &ask.prompts {
        for _ in 0..ask.text.choices {
            let echo = if ask.echo { prompt.as_str() } else { "" };
            choices.push(say(&ask.text, &text::completion(ask.text.model, prompt, chance), echo));
        }
    }
    answer(&ask.text, choices)
}

fn answer(ask: &TextAsk, choices: Vec<Choice>) -> Answer {
    let sum = |of: fn(&Choice) -> usize| choices.iter().map(of).sum::<usize>().try_into().unwrap_or(u64::MAX);
    let usage = Usage {
        prompt: ask.prompt_tokens,
        completion: sum(Choice::tokens),
        reasoning: sum(|choice| choice.reasoning.len()),
    };
    Answer { choices, usage }
}

/// Text, stopped by the first stop sequence or the cap, whichever comes first.
fn say(ask: &TextAsk, thought: &Thought, echo: &str) -> Choice {
    let mut left = ask.output_max;
    let reasoning = take(&thought.reasoning, &mut left);
    let stops = ask.stop.iter().filter(|stop| !stop.is_empty());
    let stop = stops.filter_map(|stop| thought.content.find(stop.as_str())).min();
    let heard = stop.and_then(|end| thought.content.get(..end)).unwrap_or(&thought.content);
    let content = take(heard, &mut left);
    let whole = reasoning.concat() == thought.reasoning && content.concat() == heard;
    let finish = if whole { "stop" } else { "length" };
    Choice { echo: echo.to_owned(), reasoning, content, calls: Vec::new(), finish }
}

/// Tool calls, cut off where the cap is, as a model's are.
fn call(ask: &TextAsk, thought: &str, tools: &[Tool], chance: &mut Chance) -> Choice {
    let mut left = ask.output_max;
    let reasoning = take(thought, &mut left);
    let mut whole = reasoning.concat() == thought;
    let mut calls = Vec::new();
    for tool in tools {
        if take(&tool.name, &mut left).concat() != tool.name || left == 0 {
            whole = false;
            break;
        }
        let arguments = match schema::instance(&tool.parameters) {
            object @ serde_json::Value::Object(_) => object.to_string(),
            _ => "{}".to_owned(),
        };
        let taken = take(&arguments, &mut left);
        whole &= taken.concat() == arguments;
        let id = format!("call_{:016x}", chance.number());
        calls.push(ToolCall { id, name: tool.name.clone(), arguments: taken });
    }
    let finish = if whole { "tool_calls" } else { "length" };
    Choice { echo: String::new(), reasoning, content: Vec::new(), calls, finish }
}

/// As many tokens of a text as are left.
fn take(text: &str, left: &mut usize) -> Vec<String> {
    let taken: Vec<String> = tokens::split(text).into_iter().take(*left).map(str::to_owned).collect();
    *left -= taken.len();
    taken
}
