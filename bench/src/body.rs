//! The requests that are sent: OpenAI chat bodies of fixed sizes. Not how they are sent (see [`crate::load`]).

use bytes::Bytes;
use clap::ValueEnum;

/// The model every request names, as `vendor/model`: a gateway must resolve it and tell the provider its own id.
pub(crate) const MODEL: &str = "bench/chat";
/// The same model, whose streams come without pauses.
pub(crate) const MODEL_BURST: &str = "bench/chat-burst";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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

    /// Its request body.
    pub(crate) fn body(self) -> Bytes {
        let model = if self == Self::Burst { MODEL_BURST } else { MODEL };
        let stream =
            if self.streams() { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
        let head = format!(
            r#"{{"model":"{model}","temperature":0.2,"max_tokens":256{stream},"messages":[{{"role":"system","content":"You answer briefly and name your sources."}}"#
        );
        let tail = "]}";
        let mut body = head;
        let mut role = "user";
        let frame = r#",{"role":"assistant","content":""}"#.len();
        while body.len() + tail.len() + 2 * frame < self.size() {
            let room = self.size() - body.len() - tail.len() - frame;
            // A turn of at most 1,000 characters; the last one fills what is left.
            let length = if room > 1_000 + 2 * frame { 1_000 } else { room + "assistant".len() - role.len() };
            let text: String = WORDS.chars().cycle().take(length).collect();
            body.push_str(&format_turn(role, &text));
            role = if role == "user" { "assistant" } else { "user" };
        }
        body.push_str(tail);
        Bytes::from(body)
    }
}

fn format_turn(role: &str, text: &str) -> String {
    format!(r#",{{"role":"{role}","content":"{text}"}}"#)
}

/// What the turns are filled with: it needs no escapes, so it may be cut anywhere.
const WORDS: &str = "The exchange routes each call by price, quality and rule, and keeps a record of it. ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_size_they_promise_and_are_json() {
        for shape in [Shape::Small, Shape::Medium, Shape::Large, Shape::Stream, Shape::Burst] {
            let body = shape.body();
            assert_eq!(body.len(), shape.size(), "{}", shape.name());
            let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(parsed["stream"].as_bool().unwrap_or(false), shape.streams());
        }
    }
}
