//! A row of the tables that tell what an error means, and what an answer said, in the form rows are compared with.

use trunkline_domain::attempt::Cause;

use crate::adapter::ErrorAnswer;

/// How a provider says what went wrong, where that differs from everybody else.
#[derive(Clone, Copy, Debug)]
pub struct Errors {
    /// Words of its own; they go before the shared ones, and the first row that matches decides.
    pub words: &'static [Rule],
    /// Statuses to which it gives another meaning than the protocol, where no word says more; each with its source.
    pub statuses: &'static [(u16, Cause, &'static str)],
    /// The header in which it puts an error's name.
    pub code_header: Option<&'static str>,
}

impl Errors {
    /// Nothing that differs.
    pub const SHARED: Errors = Errors { words: &[], statuses: &[], code_header: None };

    /// What a status means at this provider.
    pub(super) fn of_status(&self, status: u16) -> Option<Cause> {
        self.statuses.iter().find(|(known, ..)| *known == status).map(|(_, cause, _)| *cause)
    }
}

/// A row: what is said, what it means, and where that was read.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is said.
    pub says: Says,
    /// What it means.
    pub cause: Cause,
    /// The page, file or thread it was read in.
    pub source: &'static str,
}

/// A row in one line.
pub const fn rule(says: Says, cause: Cause, source: &'static str) -> Rule {
    Rule { says, cause, source }
}

/// Where a word is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    /// `error.code` or `error.type` is this, whatever its case.
    Code(&'static str),
    /// The message, or what another provider said in it, holds this; lower case.
    Within(&'static str),
    /// The message begins with this; lower case.
    Start(&'static str),
    /// The message begins with the first and goes on with the second somewhere; lower case.
    StartAnd(&'static str, &'static str),
    /// The message ends with this; lower case.
    End(&'static str),
}

impl Says {
    pub(super) fn matches(self, said: &Said<'_>) -> bool {
        match self {
            Self::Code(code) => said.is_named(code),
            Self::Within(part) => said.message.contains(part) || said.wrapped.contains(part),
            Self::Start(start) => said.message.starts_with(start),
            Self::StartAnd(start, then) => {
                said.message.strip_prefix(start).is_some_and(|rest| rest.contains(then))
            }
            Self::End(end) => said.message.ends_with(end),
        }
    }
}

/// What an answer said, in lower case.
pub(super) struct Said<'a> {
    codes: [Option<&'a str>; 3],
    message: String,
    wrapped: String,
}

impl<'a> Said<'a> {
    pub(super) fn of(answer: &ErrorAnswer<'a>, code_header: Option<&str>) -> Self {
        let header =
            code_header.and_then(|name| answer.headers.get(name)).and_then(|name| name.to_str().ok());
        // `ValidationException:http://…`, as AWS writes it.
        let header = header.and_then(|name| name.split(':').next()).filter(|name| !name.is_empty());
        let lower = |text: Option<&str>| text.unwrap_or_default().to_ascii_lowercase();
        let words = answer.words;
        Self {
            codes: [
                words.and_then(|words| words.code.as_deref()),
                words.and_then(|words| words.kind.as_deref()),
                header,
            ],
            message: lower(words.and_then(|words| words.message.as_deref())),
            wrapped: lower(words.and_then(|words| words.wrapped.as_deref())),
        }
    }

    /// The provider's own code.
    pub(super) fn code(&self) -> Option<&'a str> {
        self.codes.iter().flatten().next().copied()
    }

    /// Whether the body says the status over again.
    pub(super) fn repeats(&self, status: u16) -> bool {
        self.codes.iter().flatten().any(|code| code.parse() == Ok(status))
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.codes.iter().flatten().any(|code| code.eq_ignore_ascii_case(name))
    }
}
