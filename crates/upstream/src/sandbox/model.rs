//! The simulated models, as data: how fast, how long-winded, and what goes wrong. Their prices are in the catalogue.

use std::time::Duration;

/// One simulated model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxModel {
    /// The id sent upstream.
    pub id: &'static str,
    /// What it shows, for people.
    pub about: &'static str,
    /// From the request to the first content.
    pub(super) first_content: Duration,
    /// From one token to the next.
    pub(super) interval: Duration,
    pub(super) length: Length,
    pub(super) behaviour: Behaviour,
}

/// How much a model says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// A few sentences.
    Short,
    /// A few paragraphs.
    Long,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Answers.
    Answers,
    /// Thinks before it answers.
    Reasons,
    /// By chance: 429 with `retry-after`, 500, or an answer.
    Flaky,
    /// 503; on a stream 200 and at once an `overloaded_error` event.
    Overloaded,
    /// Breaks off midway.
    Cuts,
    /// Makes vectors, no text.
    Embeds,
}

/// The plainest of them; the others say what differs.
const SMALL: SandboxModel = SandboxModel {
    id: "echo-small",
    about: "fast, short answers",
    first_content: Duration::from_millis(80),
    interval: Duration::from_micros(8_333),
    length: Length::Short,
    behaviour: Behaviour::Answers,
};

/// All of them.
pub const MODELS: &[SandboxModel] = &[
    SMALL,
    SandboxModel {
        id: "echo-large",
        about: "slower, longer answers",
        first_content: Duration::from_millis(400),
        interval: Duration::from_millis(25),
        length: Length::Long,
        ..SMALL
    },
    SandboxModel {
        id: "flaky",
        about: "429, 500 or an answer, by chance",
        behaviour: Behaviour::Flaky,
        ..SMALL
    },
    SandboxModel {
        id: "overloaded",
        about: "503, or an error event inside a 200",
        behaviour: Behaviour::Overloaded,
        ..SMALL
    },
    SandboxModel {
        id: "slow-start",
        about: "says nothing for three seconds",
        first_content: Duration::from_secs(3),
        ..SMALL
    },
    SandboxModel { id: "cut", about: "the answer breaks off midway", behaviour: Behaviour::Cuts, ..SMALL },
    SandboxModel {
        id: "reasoner",
        about: "thinks before it answers",
        interval: Duration::from_micros(12_500),
        behaviour: Behaviour::Reasons,
        ..SMALL
    },
    SandboxModel { id: "fixed-price", about: "as echo-small, for a fixed price a request", ..SMALL },
    SandboxModel { id: "embed", about: "deterministic vectors", behaviour: Behaviour::Embeds, ..SMALL },
];

/// The model of an id.
pub(super) fn find(id: &str) -> Option<&'static SandboxModel> {
    MODELS.iter().find(|model| model.id == id)
}
