//! What a caller asks.

use super::extras::{Extras, RawJson};
use super::part::{CacheMark, Minted, Opaque, Part};
use crate::model::Text;
use serde_json::Number;

/// A conversation to be continued.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// The model as the caller names it. Empty where the dialect names it in the path: the ingress fills it in.
    pub model: Text,
    /// The conversation, instructions included.
    pub turns: Vec<Turn>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Which of them it should; the dialect's default where not said.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// How tokens are drawn and how many.
    pub sampling: Sampling,
    /// What the answer should look like.
    pub output: Output,
    /// How much to think first.
    pub reasoning: Option<Reasoning>,
    /// Whether a stream is asked for. Where the dialect says so in the path, the ingress fills it in.
    pub stream: bool,
    /// How to stream.
    pub stream_options: Option<StreamOptions>,
    /// Names the provider is given.
    pub labels: Labels,
    /// What else the dialect said.
    pub extras: Extras,
}

impl ChatRequest {
    /// The turns of instructions the conversation begins with, and the rest.
    pub fn instructions(&self) -> (&[Turn], &[Turn]) {
        let count = self.turns.iter().take_while(|turn| turn.role.is_instruction()).count();
        self.turns.split_at_checked(count).unwrap_or((&self.turns, &[]))
    }

    /// Bytes of what is mostly what there is: the texts of the conversation and what it holds in base64. For the size of a
    /// buffer.
    pub fn bytes(&self) -> usize {
        self.turns.iter().flat_map(|turn| &turn.parts).map(Part::bytes).sum()
    }

    /// Every piece of provider state in the conversation, to be told whose it is.
    pub fn signatures_mut(&mut self) -> impl Iterator<Item = &mut Minted<Text>> {
        self.turns.iter_mut().flat_map(|turn| &mut turn.parts).filter_map(|part| part.signature.as_mut())
    }

    /// The name of the tool a result answers, found by its id in an earlier turn: for dialects that need it beside the
    /// result.
    pub fn tool_name(&self, call_id: &str) -> Option<&Text> {
        let mut parts = self.turns.iter().rev().flat_map(|turn| turn.parts.iter().rev());
        parts.find_map(|part| part.tool_call().filter(|call| *call.id == *call_id).map(|call| &call.name))
    }
}

/// One side's say.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Whose.
    pub role: Role,
    /// The participant's name, where there are several in one role.
    pub name: Option<Text>,
    /// What is said.
    pub parts: Vec<Part>,
    /// What else the dialect said.
    pub extras: Extras,
}

impl Turn {
    /// A turn with nothing besides its parts.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, name: None, parts, extras: Extras::default() }
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The same under OpenAI's newer name; other dialects have one role for both.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The tools: results only.
    Tool,
}

impl Role {
    /// Whether the turn instructs the model.
    pub const fn is_instruction(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

/// Something the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name; empty for an opaque one.
    pub name: Text,
    /// What it does.
    pub description: Option<Text>,
    /// What kind.
    pub kind: ToolKind,
    /// The prompt up to and including this tool is to be cached.
    pub cache: Option<CacheMark>,
    /// What else the dialect said.
    pub extras: Extras,
}

/// The kinds of tool.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// Takes a JSON object.
    Function {
        /// The object's JSON schema as written; none: no arguments.
        parameters: Option<RawJson>,
        /// Whether the arguments must match the schema.
        strict: Option<bool>,
    },
    /// Takes any text.
    Freeform {
        /// The grammar the text must follow, as its dialect writes it.
        format: Option<Opaque>,
    },
    /// Run by the provider, or otherwise known to its own dialect only.
    Opaque(Opaque),
}

/// Which tool the model should call.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This function.
    Function(Text),
    /// This freeform tool.
    Freeform(Text),
    /// Some functions only.
    Allowed {
        /// Whether at least one must be called.
        required: bool,
        /// Their names.
        names: Vec<Text>,
    },
    /// A choice only its own dialect knows.
    Opaque(Opaque),
}

/// How tokens are drawn and how many. Numbers are kept as written: `1` is not `1.0` on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// The most tokens generated, thinking included.
    pub output_max: Option<u64>,
    /// Temperature.
    pub temperature: Option<Number>,
    /// Nucleus sampling.
    pub top_p: Option<Number>,
    /// How many candidates are drawn from.
    pub top_k: Option<u64>,
    /// The least probability relative to the best candidate's.
    pub min_p: Option<Number>,
    /// Penalty by frequency.
    pub frequency_penalty: Option<Number>,
    /// Penalty by presence.
    pub presence_penalty: Option<Number>,
    /// Penalty by repetition, a factor.
    pub repetition_penalty: Option<Number>,
    /// Seed.
    pub seed: Option<i64>,
    /// How many answers.
    pub n: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<Text>,
    /// Whether the log probabilities of the tokens are wanted.
    pub logprobs: Option<bool>,
    /// Of how many alternatives a token.
    pub top_logprobs: Option<u64>,
    /// Bias by token id, as written: token ids are a tokenizer's own.
    pub logit_bias: Option<RawJson>,
    /// Text the answer is likely to repeat, as its dialect writes it.
    pub prediction: Option<Opaque>,
}

/// What the answer should look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Its form; text where not said.
    pub format: Option<OutputFormat>,
    /// How wordy: `low`, `medium`, `high`.
    pub verbosity: Option<Text>,
    /// `text`, `audio`, `image`; the dialect's default where empty.
    pub modalities: Vec<Text>,
    /// Voice and format of speech, as its dialect writes it.
    pub speech: Option<Opaque>,
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputFormat {
    /// Said to be text.
    Text,
    /// A JSON object of any shape.
    JsonObject,
    /// A JSON value of this schema.
    JsonSchema {
        /// What the schema is called.
        name: Option<Text>,
        /// What it is for.
        description: Option<Text>,
        /// As written.
        schema: Option<RawJson>,
        /// Whether the answer must match.
        strict: Option<bool>,
        /// What else the dialect said.
        extras: Extras,
    },
    /// A form only its own dialect knows.
    Opaque(Opaque),
}

/// How much to think before answering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// Whether at all.
    pub thinking: Option<Thinking>,
    /// How hard.
    pub effort: Option<Effort>,
    /// The most tokens thought.
    pub budget_tokens: Option<u64>,
    /// Whether thoughts are shown, where that is a switch.
    pub shown: Option<bool>,
    /// How they are summarised: `auto`, `concise`, `detailed`.
    pub summary: Option<Text>,
    /// What else the dialect said.
    pub extras: Extras,
}

/// Whether to think at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thinking {
    /// Yes.
    Enabled,
    /// No.
    Disabled,
    /// As the model sees fit.
    Adaptive,
}

/// How hard to think, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Not at all.
    None,
    /// Barely.
    Minimal,
    /// A little.
    Low,
    /// Normally.
    Medium,
    /// Hard.
    High,
    /// Very hard.
    XHigh,
    /// As hard as can be.
    Max,
}

impl Effort {
    /// Every effort, from least to most.
    pub const ALL: &'static [Effort] =
        &[Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// The word every dialect that has efforts uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|effort| effort.as_str() == name)
    }

    /// The share of the output cap it may think, in percent, where a model takes a budget only. The figures are those
    /// callers know from OpenRouter (<https://openrouter.ai/docs/use-cases/reasoning-tokens>).
    pub const fn budget_percent(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 10,
            Self::Low => 20,
            Self::Medium => 50,
            Self::High => 80,
            Self::XHigh | Self::Max => 95,
        }
    }

    /// The least effort whose share of `output_max` covers a budget, where a model takes efforts only.
    pub fn of_budget(budget_tokens: u64, output_max: u64) -> Self {
        let covers = |effort: &&Effort| {
            u128::from(output_max) * u128::from(effort.budget_percent()) >= u128::from(budget_tokens) * 100
        };
        Self::ALL.iter().take_while(|effort| **effort < Self::Max).find(covers).copied().unwrap_or(Self::Max)
    }
}

/// How to stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// Whether the caller wants usage in the stream.
    pub include_usage: Option<bool>,
    /// What else the dialect said.
    pub extras: Extras,
}

/// Names the provider is given: for its abuse desk, its caches, its bills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The caller's end user.
    pub user: Option<Text>,
    /// The same, hashed, for abuse detection alone.
    pub safety_identifier: Option<Text>,
    /// Key and value pairs, as written.
    pub metadata: Option<RawJson>,
    /// Which requests share a prompt cache.
    pub cache_key: Option<Text>,
    /// Which tier of service.
    pub service_tier: Option<Text>,
    /// Whether the provider is to keep the answer.
    pub store: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{PartKind, ToolCall, ToolCallKind};

    #[test]
    fn instructions_end_where_the_conversation_begins() {
        let turn = |role| Turn::new(role, vec![Part::text("x")]);
        let turns = [Role::System, Role::Developer, Role::User, Role::System].map(turn).to_vec();
        let request = ChatRequest { turns, ..ChatRequest::default() };
        let (instructions, rest) = request.instructions();
        assert_eq!((instructions.len(), rest.len()), (2, 2));
        assert_eq!(ChatRequest::default().instructions(), (&[][..], &[][..]));
    }

    #[test]
    fn budgets_and_efforts_translate_back_and_forth() {
        for effort in Effort::ALL.iter().filter(|effort| **effort < Effort::XHigh) {
            assert_eq!(Effort::of_budget(effort.budget_percent() * 100, 10_000), *effort);
            assert_eq!(Effort::parse(effort.as_str()), Some(*effort));
        }
        assert_eq!(Effort::of_budget(9_000, 10_000), Effort::XHigh);
        assert_eq!(Effort::of_budget(10_000, 10_000), Effort::Max);
        assert_eq!(Effort::of_budget(1, 0), Effort::Max);
    }

    #[test]
    fn a_result_finds_the_name_of_the_latest_call_with_its_id() {
        let call = |name: &str| {
            let call = ToolCall {
                id: "c".into(),
                name: name.into(),
                kind: ToolCallKind::Function,
                arguments: "{}".into(),
            };
            Turn::new(Role::Assistant, vec![PartKind::ToolCall(call).into()])
        };
        let request = ChatRequest { turns: vec![call("old"), call("new")], ..ChatRequest::default() };
        assert_eq!(request.tool_name("c").map(|name| &**name), Some("new"));
        assert_eq!(request.tool_name("d"), None);
    }
}
