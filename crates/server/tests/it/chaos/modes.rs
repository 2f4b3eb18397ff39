//! The ways in which a provider fails, as data: what it does, and what must follow.

use trunkline_testkit::fake_provider::script::{After, Answer, End, ErrorCode, Head, Sign};
use trunkline_testkit::fake_provider::{Script, Validity};

use super::cases::{Form, TEXT};

/// How long a provider takes that is slow but well, in milliseconds.
const SLOW_MS: u64 = 700;
/// Where an answer that breaks off does so: a stream after four words, a body in its middle.
const PIECES: After = After::Pieces(5);
const BYTES: After = After::Bytes(150);

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// An error with this status, and perhaps `retry-after`, in seconds.
    Status(u16, Option<u32>),
    /// An HTML page with this status.
    Html(u16),
    /// Nobody listens.
    Refused,
    /// The name does not resolve.
    Nameless,
    /// The connection closes before the head.
    Closed,
    /// No head, ever.
    Hang,
    /// The first content takes its time, and comes.
    Slow,
    /// A head, and no content, ever.
    Contentless,
    /// Silence in the middle.
    Stall,
    /// The connection closes in the middle.
    Cut,
    /// The connection closes after so many bytes.
    CutAt(u64),
    /// The connection is reset in the middle.
    Reset,
    /// The body ends in the middle, as if that were all.
    Truncated,
    /// Bytes that are no answer.
    Garbage,
    /// A good answer under another content type.
    ContentType,
    /// A redirect.
    Redirect,
    /// The error of an overloaded provider, after a head of success where there is a stream.
    Overloaded,
    /// That error in the middle of a stream.
    OverloadedMidway,
    /// A sign over HTTP/2.
    Sign(Place, Sign),
    /// A sign over HTTP/2 that the stream was not processed; the next one is answered.
    Once(Sign),
    /// A certificate that has expired.
    Expired,
}

/// Where a sign over HTTP/2 comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Instead of the head.
    Head,
    /// After the head, before any content.
    Body,
    /// In the middle.
    Midway,
}

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    /// TLS and HTTP/2.
    Http2(Validity),
}

/// When a failure is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Never: it is none.
    Never,
    /// It is the caller's own mistake, and no other provider is asked.
    Own,
    /// Before the first content has been passed on.
    Before,
    /// After it.
    Midway,
    /// The place decides.
    Anywhere,
}

/// What a failure leads to where nobody else answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leads {
    pub(crate) when: When,
    /// The cause of each failed attempt.
    pub(crate) cause: &'static str,
    /// What the caller is told: the status where nothing has been sent, and the code.
    pub(crate) error: (u16, &'static str),
}

impl Mode {
    /// All of them, a stream or a body cut at each of `bytes`.
    pub(crate) fn all(bytes: &[u64]) -> Vec<Self> {
        let statuses = [400, 401, 402, 403, 404, 429, 500, 502, 503, 504, 529];
        let mut all: Vec<Self> = statuses.map(|status| Self::Status(status, None)).to_vec();
        all.extend([
            Self::Status(429, Some(1)),
            Self::Status(503, Some(1)),
            Self::Html(502),
            Self::Html(200),
        ]);
        all.extend([Self::Refused, Self::Nameless, Self::Closed, Self::Hang, Self::Slow, Self::Contentless]);
        all.extend([Self::Stall, Self::Cut, Self::Reset, Self::Truncated, Self::Garbage, Self::ContentType]);
        all.extend([Self::Redirect, Self::Overloaded, Self::OverloadedMidway]);
        all.extend(Self::signs());
        all.extend([Self::Once(Sign::LeftOut), Self::Once(Sign::RstStream(ErrorCode::RefusedStream))]);
        all.push(Self::Expired);
        all.extend(bytes.iter().map(|bytes| Self::CutAt(*bytes)));
        all
    }

    /// Every sign wherever it can come. A reset that comes between head and content is one midway to a client.
    fn signs() -> Vec<Self> {
        let resets =
            [ErrorCode::RefusedStream, ErrorCode::InternalError, ErrorCode::Cancel].map(Sign::RstStream);
        let goaways = [ErrorCode::NoError, ErrorCode::EnhanceYourCalm].map(Sign::GoAway);
        let goaways = goaways.into_iter().chain([Sign::LeftOut]);
        let mut signs = Vec::new();
        for place in [Place::Head, Place::Body, Place::Midway] {
            signs.extend(goaways.clone().map(|sign| Self::Sign(place, sign)));
            if place != Place::Body {
                signs.extend(resets.map(|sign| Self::Sign(place, sign)));
            }
        }
        signs
    }

    /// How the provider is spoken to.
    pub(crate) fn transport(self) -> Transport {
        if self == Self::Expired {
            Transport::Http2(Validity::Expired)
        } else if matches!(self, Self::Sign(..) | Self::Once(_)) {
            Transport::Http2(Validity::Valid)
        } else {
            Transport::Plain
        }
    }

    /// Whether no call ever arrives at the provider, and each attempt's row says so.
    pub(crate) fn never_arrives(self) -> bool {
        matches!(
            self,
            Self::Expired
                | Self::Sign(Place::Head, Sign::LeftOut | Sign::RstStream(ErrorCode::RefusedStream))
        )
    }

    /// What the provider does; `None` where there is no provider to do it.
    pub(crate) fn script(self, form: Form) -> Option<Script> {
        let said = Script::says(TEXT);
        let midway = if form == Form::Streamed { PIECES } else { BYTES };
        Some(match self {
            Self::Status(status, None) => Script::error(status, "fake_error", None, "It fails."),
            Self::Status(status, Some(wait)) => Script::error(status, "fake_error", None, "It fails.")
                .with_header("retry-after", &wait.to_string()),
            Self::Html(status) => Script::html(status),
            Self::Refused | Self::Nameless => return None,
            Self::Closed => Script::closes(),
            Self::Hang => Script::hangs(),
            Self::Slow => Script::answers(slow()),
            Self::Contentless if form == Form::Streamed => Script::role_then_silence(),
            Self::Contentless => said.ending(End::Stall(After::Bytes(0))),
            Self::Stall => said.ending(End::Stall(midway)),
            Self::Cut => said.ending(End::Cut(midway)),
            Self::CutAt(bytes) => said.ending(End::Cut(After::Bytes(bytes))),
            Self::Reset => said.ending(End::Reset(midway)),
            Self::Truncated => said.ending(End::Truncate(midway)),
            Self::Garbage => Script::garbage(),
            Self::ContentType => said.with_header("content-type", "application/octet-stream"),
            Self::Redirect => Script::redirect("http://127.0.0.1:9/elsewhere"),
            Self::Overloaded => said.ending(End::Overloaded(0)),
            Self::OverloadedMidway => said.ending(End::Overloaded(5)),
            Self::Sign(Place::Head, sign) => Script { head: Head::Sign(sign), ..said },
            Self::Sign(Place::Body, sign) => said.ending(End::Sign(sign, After::Bytes(0))),
            Self::Sign(Place::Midway, sign) => said.ending(End::Sign(sign, midway)),
            Self::Once(sign) => Script::signs(sign),
            Self::Expired => said,
        })
    }

    /// What follows.
    pub(crate) fn leads(self, form: Form) -> Leads {
        let midway = if form == Form::Streamed { When::Midway } else { When::Before };
        let (when, cause, error) = match self {
            Self::Status(400, _) => (When::Own, "invalid_request", (400, "")),
            Self::Status(401, _) => (When::Before, "unauthorized", (502, "upstream_auth")),
            Self::Status(402, _) => (When::Before, "credits_exhausted", (502, "upstream_auth")),
            Self::Status(403, _) => (When::Before, "forbidden", (502, "upstream_auth")),
            Self::Status(404, _) => (When::Before, "model_not_found", (502, "upstream_auth")),
            Self::Status(429, _) => (When::Before, "rate_limited", (429, "upstream_rate_limited")),
            Self::Status(503 | 529, _) | Self::Overloaded => {
                (When::Before, "overloaded", (503, "upstream_overloaded"))
            }
            Self::OverloadedMidway => (midway, "overloaded", (503, "upstream_overloaded")),
            Self::Status(..) | Self::Html(502) => (When::Before, "server_error", (502, "upstream_failed")),
            Self::Nameless => (When::Before, "dns_failed", (502, "upstream_unreachable")),
            Self::Refused => (When::Before, "connect_failed", (502, "upstream_unreachable")),
            Self::Closed => (When::Before, "cut", (502, "upstream_cut")),
            Self::Hang => (When::Before, "headers_timeout", (504, "upstream_timeout")),
            Self::Slow | Self::Once(_) => (When::Never, "", (200, "")),
            // What can be read as an answer is one.
            Self::ContentType if form == Form::Buffered => (When::Never, "", (200, "")),
            Self::Contentless => (When::Before, "first_content_timeout", (504, "upstream_timeout")),
            // A whole answer has its first content when it has come.
            Self::Stall if form == Form::Buffered => {
                (When::Before, "first_content_timeout", (504, "upstream_timeout"))
            }
            Self::Stall => (midway, "idle_timeout", (504, "upstream_timeout")),
            Self::CutAt(_) => (When::Anywhere, "cut", (502, "upstream_cut")),
            Self::Truncated if form == Form::Buffered => {
                (When::Before, "malformed", (502, "upstream_malformed"))
            }
            Self::Cut | Self::Reset | Self::Truncated => (midway, "cut", (502, "upstream_cut")),
            Self::Sign(place, sign) => signed(place, sign, midway),
            Self::Expired => (When::Before, "tls_failed", (502, "upstream_unreachable")),
            Self::Html(_) | Self::Garbage | Self::ContentType | Self::Redirect => {
                (When::Before, "malformed", (502, "upstream_malformed"))
            }
        };
        Leads { when, cause, error }
    }

    /// Whether a second provider is asked beside this one. An answer that has a head and never ends would be read on
    /// for its usage, without a caller, longer than a case may take.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Hang | Self::Slow)
    }
}

/// What a sign leads to.
fn signed(place: Place, sign: Sign, midway: When) -> (When, &'static str, (u16, &'static str)) {
    let cut = |when| (when, "cut", (502, "upstream_cut"));
    match (place, sign) {
        (_, Sign::GoAway(ErrorCode::NoError)) => (When::Never, "", (200, "")),
        (Place::Head, Sign::LeftOut | Sign::RstStream(ErrorCode::RefusedStream)) => {
            (When::Before, "connect_failed", (502, "upstream_unreachable"))
        }
        (Place::Head | Place::Body, _) => cut(When::Before),
        (Place::Midway, _) => cut(midway),
    }
}

fn slow() -> Answer {
    Answer { text: TEXT.to_owned(), first_content_ms: SLOW_MS, ..Answer::default() }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = match self {
            Self::Status(status, None) => return write!(f, "{status}"),
            Self::Status(status, Some(wait)) => return write!(f, "{status}, retry-after {wait}"),
            Self::Html(status) => return write!(f, "HTML page, {status}"),
            Self::CutAt(bytes) => return write!(f, "cut at byte {bytes}"),
            Self::Sign(place, sign) => return write!(f, "HTTP/2 {} {}", said(*sign), place.words()),
            Self::Once(sign) => return write!(f, "HTTP/2 {} once", said(*sign)),
            Self::Expired => "expired certificate",
            Self::Refused => "connection refused",
            Self::Nameless => "DNS failure",
            Self::Closed => "closed before the head",
            Self::Hang => "hang before the head",
            Self::Slow => "slow first content",
            Self::Contentless => "head, no content",
            Self::Stall => "stall midway",
            Self::Cut => "cut midway",
            Self::Reset => "reset midway",
            Self::Truncated => "truncated",
            Self::Garbage => "garbage",
            Self::ContentType => "wrong content type",
            Self::Redirect => "redirect",
            Self::Overloaded => "overloaded, after 200",
            Self::OverloadedMidway => "overloaded midway",
        };
        f.write_str(words)
    }
}

impl Place {
    fn words(self) -> &'static str {
        match self {
            Self::Head => "before the head",
            Self::Body => "after the head",
            Self::Midway => "midway",
        }
    }
}

/// A sign in the protocol's words.
fn said(sign: Sign) -> String {
    match sign {
        Sign::RstStream(code) => format!("RST_STREAM {code:?}"),
        Sign::GoAway(code) => format!("GOAWAY {code:?}"),
        Sign::LeftOut => "GOAWAY leaving it out".to_owned(),
    }
}
