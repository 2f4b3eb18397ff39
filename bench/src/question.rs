//! What is asked: how large, in whose API, and for which of the upstream's providers. Not how it is sent (see
//! [`crate::load`]).

use bytes::Bytes;
use clap::{Args, ValueEnum};

/// What a model whose streams come without pauses is called at the end.
pub(crate) const BURST: &str = "-burst";

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Shape {
    /// 871 bytes: a short question with a system prompt.
    Small,
    /// 20,600 bytes: a conversation.
    Medium,
    /// 512,000 bytes: a document.
    Large,
    /// A small request for a stream of 100 chunks, 10 ms apart.
    Stream,
    /// The same without pauses.
    Burst,
}

/// In which API a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Caller {
    /// OpenAI's chat completions.
    Openai,
    /// Anthropic's Messages.
    Anthropic,
}

/// Who answers: the model that is named decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Provider {
    /// One that speaks OpenAI's chat completions.
    Openai,
    /// One that speaks Anthropic's Messages.
    Anthropic,
    /// One that speaks Gemini's generateContent.
    Gemini,
    /// The first, behind one that answers 503 at once.
    Failing,
    /// The first, behind one that is not there: its connections are refused.
    Absent,
    /// The first, beside one that never has content.
    Hedged,
    /// One that thinks for [`crate::mock::SERVICE`].
    Patient,
}

/// A request, as it is sent again and again.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    /// How much to ask for
    #[arg(long, value_enum, default_value_t = Shape::Small)]
    pub(crate) shape: Shape,
    /// In which API
    #[arg(long, value_enum, default_value_t = Caller::Openai)]
    pub(crate) caller: Caller,
    /// Of whom
    #[arg(long, value_enum, default_value_t = Provider::Openai)]
    pub(crate) provider: Provider,
}

impl Shape {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Stream => "stream",
            Self::Burst => "burst",
        }
    }

    /// Whether the answer is a stream.
    pub(crate) fn streams(self) -> bool {
        matches!(self, Self::Stream | Self::Burst)
    }

    /// The size of its request body, in bytes.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Small | Self::Stream | Self::Burst => 871,
            Self::Medium => 20_600,
            Self::Large => 512_000,
        }
    }
}

impl Caller {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Openai => "OpenAI",
            Self::Anthropic => "Anthropic",
        }
    }
}

impl Provider {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Openai => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::Failing => "503, then OpenAI",
            Self::Absent => "connection refused, then OpenAI",
            Self::Hedged => "silence, and OpenAI beside it",
            Self::Patient => "patient",
        }
    }

    /// The id of its model; [`BURST`] may follow.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Openai => "chat",
            Self::Anthropic => "messages",
            Self::Gemini => "generate",
            Self::Failing => "failing",
            Self::Absent => "absent",
            Self::Hedged => "hedged",
            Self::Patient => "patient",
        }
    }
}

impl Question {
    /// Of a provider that speaks the caller's own API: the gateway passes it on as it is.
    pub(crate) const fn relay(shape: Shape) -> Self {
        Self { shape, caller: Caller::Openai, provider: Provider::Openai }
    }

    /// Who asks whom for what, in words.
    pub(crate) fn name(self) -> String {
        let Self { shape, caller, provider } = self;
        format!("{}, {} callers, {}", shape.name(), caller.name(), provider.name())
    }

    /// Where it is sent.
    pub(crate) fn path(self) -> &'static str {
        match self.caller {
            Caller::Openai => "/v1/chat/completions",
            Caller::Anthropic => "/v1/messages",
        }
    }

    /// What the last event of its answer ends with, where that is a stream.
    pub(crate) fn end_of_stream(self) -> &'static [u8] {
        match self.caller {
            Caller::Openai => b"data: [DONE]\n\n",
            Caller::Anthropic => b"data: {\"type\":\"message_stop\"}\n\n",
        }
    }

    /// Its request body: turns of the user's and the assistant's, the user's first and last.
    pub(crate) fn body(self) -> Bytes {
        let mut body = self.head();
        let (begin, tail) = (body.len(), "]}");
        let room = self.shape.size() - begin - tail.len();
        let turns = (room / TURN_BYTES) | 1;
        for number in 0..turns {
            let (comma, role) = match number {
                0 => ("", "user"),
                _ if number.is_multiple_of(2) => (",", "user"),
                _ => (",", "assistant"),
            };
            let frame = format!(r#"{comma}{{"role":"{role}","content":""#);
            let close = r#""}"#;
            let end = begin + room * (number + 1) / turns;
            let length = end - body.len() - frame.len() - close.len();
            body.push_str(&frame);
            body.extend(WORDS.chars().cycle().take(length));
            body.push_str(close);
        }
        body.push_str(tail);
        Bytes::from(body)
    }

    /// The body up to its first turn. The model is named as `vendor/model`: a gateway must resolve it and tell the
    /// provider its own id.
    fn head(self) -> String {
        let burst = if self.shape == Shape::Burst { BURST } else { "" };
        let model = format!("bench/{}{burst}", self.provider.model());
        let wishes = if self.provider == Provider::Hedged { HEDGE } else { "" };
        let stream = if self.shape.streams() { r#","stream":true"# } else { "" };
        let common = format!(r#""model":"{model}","temperature":0.2,"max_tokens":256{stream}{wishes}"#);
        match self.caller {
            Caller::Openai => {
                let usage =
                    if self.shape.streams() { r#","stream_options":{"include_usage":true}"# } else { "" };
                format!(r#"{{{common}{usage},"messages":[{{"role":"system","content":"{SYSTEM}"}},"#)
            }
            Caller::Anthropic => format!(r#"{{{common},"system":"{SYSTEM}","messages":["#),
        }
    }
}

/// About so long is a turn.
const TURN_BYTES: usize = 1_000;
const SYSTEM: &str = "You answer briefly and name your sources.";
/// A second deployment is asked where the first has no content after so long.
const HEDGE: &str = r#","routing":{"hedge":true,"ttft_budget_ms":20}"#;
/// What the turns are filled with: it needs no escapes, so it may be cut anywhere.
const WORDS: &str = "The exchange routes each call by price, quality and rule, and keeps a record of it. ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_size_they_promise_and_are_json() {
        for shape in [Shape::Small, Shape::Medium, Shape::Large, Shape::Stream, Shape::Burst] {
            for (caller, provider) in [
                (Caller::Openai, Provider::Openai),
                (Caller::Anthropic, Provider::Openai),
                (Caller::Openai, Provider::Hedged),
            ] {
                let question = Question { shape, caller, provider };
                let body = question.body();
                assert_eq!(body.len(), shape.size(), "{}", question.name());
                let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(parsed["stream"].as_bool().unwrap_or(false), shape.streams());
                let turns = parsed["messages"].as_array().unwrap();
                assert_eq!(turns.last().unwrap()["role"], "user", "{}", question.name());
            }
        }
    }
}
