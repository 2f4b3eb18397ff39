//! What a call meets, as data: it can be written as JSON on a command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::log::Billed;

/// What one call meets. The default is a correct answer at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Wait before the head, in milliseconds.
    pub head_after_ms: u64,
    /// What comes first.
    pub head: Head,
    /// HTTP status, where it is not what the body implies.
    pub status: Option<u16>,
    /// Response headers, added or replacing those the body implies.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Body,
    /// How the body ends.
    pub end: End,
    /// What is billed whatever happens, for bodies that say nothing of tokens and for calls that never get an answer.
    pub bills: Option<Billed>,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// A response.
    #[default]
    Answer,
    /// Nothing, for ever.
    Hang,
    /// The end of the connection.
    Close,
    /// A sign over HTTP/2.
    Sign(Sign),
}

impl Head {
    /// The sign over HTTP/2 that it is.
    pub(crate) fn sign(self) -> Option<Sign> {
        match self {
            Self::Sign(sign) => Some(sign),
            Self::Answer | Self::Hang | Self::Close => None,
        }
    }
}

/// What an HTTP/2 server says of a stream instead of ending it well (RFC 9113 §6.4, §6.8). Over HTTP/1.1 and in this
/// process, where nobody can say it, the connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// `RST_STREAM`: this stream ends. `refused_stream` before the head says that nothing was processed: such a call is
    /// not in the log.
    RstStream(ErrorCode),
    /// `GOAWAY` that counts this stream among those that are processed. With `no_error` the answer goes on; with another
    /// code the connection closes.
    GoAway(ErrorCode),
    /// `GOAWAY` with `no_error`, whose last stream is one before this: before the head, nothing was processed, and the
    /// call is not in the log.
    LeftOut,
}

impl Sign {
    /// Whether the answer goes on.
    pub(crate) fn goes_on(self) -> bool {
        self == Self::GoAway(ErrorCode::NoError)
    }

    /// Whether it says, before the head, that the call was not processed.
    pub(crate) fn refuses(self) -> bool {
        matches!(self, Self::LeftOut | Self::RstStream(ErrorCode::RefusedStream))
    }
}

/// An error code of HTTP/2 (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// `NO_ERROR`.
    NoError,
    /// `INTERNAL_ERROR`.
    InternalError,
    /// `REFUSED_STREAM`.
    RefusedStream,
    /// `CANCEL`.
    Cancel,
    /// `ENHANCE_YOUR_CALM`.
    EnhanceYourCalm,
}

/// A response's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The correct answer to what was asked.
    Answer(Answer),
    /// An error; without a status of the script's own, 500. The words are OpenAI's: in another dialect, the error is
    /// what that dialect says with this status.
    Error {
        /// `error.type`.
        kind: String,
        /// `error.code`.
        code: Option<String>,
        /// `error.message`.
        message: String,
    },
    /// These pieces, whatever was asked.
    Pieces(Vec<Piece>),
    /// What says only that a stream lives, for ever.
    Pings {
        /// Milliseconds before each.
        every_ms: u64,
    },
}

impl Default for Body {
    fn default() -> Self {
        Self::Answer(Answer::default())
    }
}

/// A correct answer's text and pace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// What is said where no tool is called and no format asked for, or none is kept to.
    pub text: String,
    /// Whether a format asked for is kept to.
    pub format: Format,
    /// Tools that are called before it is said, one an answer unless more are to be: a conversation that holds the results
    /// of two gets the third.
    /// One that is not offered is not called.
    pub calls: Vec<Call>,
    /// How many of them one answer calls.
    pub at_once: usize,
    /// Milliseconds before the first content: before the body, if it is not a stream.
    pub first_content_ms: u64,
    /// Milliseconds before each later piece of content of a stream.
    pub interval_ms: u64,
    /// Whether usage is reported.
    pub usage: Usage,
    /// What is made of an answer the request has begun: a last message of the assistant's.
    pub begun: Begun,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            text: "Hello from the fake provider. It counts its words.".to_owned(),
            format: Format::Kept,
            calls: Vec::new(),
            at_once: 1,
            first_content_ms: 0,
            interval_ms: 0,
            usage: Usage::Honest,
            begun: Begun::Anew,
        }
    }
}

/// Whether a format asked for is kept to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A document of the schema is said instead of the text.
    #[default]
    Kept,
    /// The text is said, whatever was asked for.
    Ignored,
}

/// What is made of an answer that the request has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// Nothing: the text is said from its beginning.
    #[default]
    Anew,
    /// The text is gone on with where the request leaves off; where it does not begin so, as for [`Anew`](Self::Anew).
    GoesOn,
    /// The same, after so many of its last characters have been said again.
    Repeats(usize),
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Its name; in Responses, that of a tool in a namespace has the namespace and a point before it.
    pub name: String,
    /// Its arguments: a text for a tool that takes any, else an object.
    pub arguments: Value,
}

/// Whether usage is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// As the API says, and true.
    #[default]
    Honest,
    /// Never, though it is billed.
    Absent,
}

/// One piece of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Milliseconds before it.
    #[serde(default)]
    pub wait_ms: u64,
    /// Its bytes, as text.
    pub text: String,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// When all is said.
    #[default]
    Complete,
    /// Early, but as if that were all.
    Truncate(After),
    /// Early: the connection closes.
    Cut(After),
    /// Early: the connection is reset (TCP RST).
    Reset(After),
    /// Never: nothing more comes.
    Stall(After),
    /// After so many pieces of a stream: with an event that says that the provider is overloaded. What is no stream is
    /// that error from the start.
    Overloaded(u64),
    /// Early: with a sign over HTTP/2, unless the sign lets the answer go on.
    Sign(Sign, After),
}

/// A place in a body. One beyond its end is never reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// So many bytes.
    Bytes(u64),
    /// So many pieces: a stream's first is the role of the first choice.
    Pieces(u64),
}

impl Script {
    /// A correct answer with this text.
    pub fn says(text: &str) -> Self {
        Self::answers(Answer { text: text.to_owned(), ..Answer::default() })
    }

    /// A correct answer with this text, which a request may have begun.
    pub fn goes_on(text: &str, begun: Begun) -> Self {
        Self::answers(Answer { text: text.to_owned(), begun, ..Answer::default() })
    }

    /// A correct answer with this text, whatever format was asked for.
    pub fn ignores_format(text: &str) -> Self {
        Self::answers(Answer { text: text.to_owned(), format: Format::Ignored, ..Answer::default() })
    }

    /// A correct answer at a pace.
    pub fn answers(answer: Answer) -> Self {
        Self { body: Body::Answer(answer), ..Self::default() }
    }

    /// A correct answer whose first content takes its time.
    pub fn slow_first_content(ms: u64) -> Self {
        Self::answers(Answer { first_content_ms: ms, ..Answer::default() })
    }

    /// An error answer.
    pub fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        let body =
            Body::Error { kind: kind.to_owned(), code: code.map(str::to_owned), message: message.to_owned() };
        Self { status: Some(status), body, ..Self::default() }
    }

    /// 429 with `retry-after` in seconds.
    pub fn rate_limited(retry_after_s: u32) -> Self {
        Self::error(429, "requests", Some("rate_limit_exceeded"), "Rate limit reached.")
            .with_header("retry-after", &retry_after_s.to_string())
    }

    /// What an overloaded provider of the call's API answers, without a head of success before it.
    pub fn overloaded(status: u16) -> Self {
        Self::error(status, "overloaded_error", None, "Overloaded")
    }

    /// 500.
    pub fn server_error() -> Self {
        Self::error(500, "server_error", None, "The server had an error while processing your request.")
    }

    /// 200 and at once an event that says that the provider is overloaded.
    pub fn overloaded_event() -> Self {
        Self::default().ending(End::Overloaded(0))
    }

    /// An event stream of these events, framing included.
    pub fn events(events: &[&str]) -> Self {
        let pieces = events.iter().map(|event| Piece { wait_ms: 0, text: (*event).to_owned() }).collect();
        Self { body: Body::Pieces(pieces), ..Self::default() }
            .with_header("content-type", "text/event-stream")
    }

    /// A 200 whose JSON body is this text.
    pub fn text(text: &str) -> Self {
        Self { body: Body::Pieces(vec![Piece { wait_ms: 0, text: text.to_owned() }]), ..Self::default() }
    }

    /// Bytes that are no answer, under the right content type.
    pub fn garbage() -> Self {
        Self::text("\u{1}\u{2}]]{{ not an answer \u{fffd}")
    }

    /// An HTML page with a status, as proxies in front of providers send them.
    pub fn html(status: u16) -> Self {
        let page = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n";
        Self { status: Some(status), ..Self::text(page) }.with_header("content-type", "text/html")
    }

    /// A correct answer under the wrong content type.
    pub fn wrong_content_type() -> Self {
        Self::default().with_header("content-type", "application/octet-stream")
    }

    /// A redirect.
    pub fn redirect(location: &str) -> Self {
        Self { status: Some(307), ..Self::text("") }.with_header("location", location)
    }

    /// No response, ever.
    pub fn hangs() -> Self {
        Self { head: Head::Hang, ..Self::default() }
    }

    /// The connection closes before the head.
    pub fn closes() -> Self {
        Self { head: Head::Close, ..Self::default() }
    }

    /// A sign over HTTP/2 before the head.
    pub fn signs(sign: Sign) -> Self {
        Self { head: Head::Sign(sign), ..Self::default() }
    }

    /// A stream's role, then silence.
    pub fn role_then_silence() -> Self {
        Self::default().ending(End::Stall(After::Pieces(1)))
    }

    /// Pings, for ever.
    pub fn pings(every_ms: u64) -> Self {
        Self { body: Body::Pings { every_ms }, ..Self::default() }
    }

    /// The script with another end.
    #[must_use]
    pub fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }

    /// The script with a response header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }
}
