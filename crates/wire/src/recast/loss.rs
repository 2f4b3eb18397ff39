//! What a translation could not carry, and who minds.

use std::borrow::Cow;

use trunkline_domain::Dialect;
use trunkline_domain::chat::Extras;

use crate::codec::{Loss, LossKind, Subject};
use crate::json::Object;

/// The most losses kept of one translation. Beyond it only the first of a subject nobody has lost yet is kept: enough to
/// refuse what must be refused.
pub const LOSSES_MAX: usize = 64;

/// The losses of one translation, each path and reason once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

impl Losses {
    /// A field that was left out.
    pub fn dropped(
        &mut self,
        subject: Subject,
        path: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
    ) {
        self.push(Loss { path: path.into(), why: why.into(), subject, kind: LossKind::Dropped });
    }

    /// A field that was changed to what the dialect has.
    pub fn adapted(
        &mut self,
        subject: Subject,
        path: impl Into<Cow<'static, str>>,
        why: impl Into<Cow<'static, str>>,
    ) {
        self.push(Loss { path: path.into(), why: why.into(), subject, kind: LossKind::Adapted });
    }

    /// Adds a loss that has not been noted yet.
    pub fn push(&mut self, loss: Loss) {
        let room = self.0.len() < LOSSES_MAX || self.0.iter().all(|known| known.subject != loss.subject);
        if room && !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// The losses, in the order met.
    pub fn as_slice(&self) -> &[Loss] {
        &self.0
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What becomes of a parameter that a deployment's dialect does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// It must be carried as it is, or the request is refused.
    Require,
    /// It may be changed to the nearest thing there is, but not left out.
    Adapt,
    /// It may be left out.
    Drop,
}

impl Tolerance {
    /// All of them, the strictest first.
    pub const ALL: [Self; 3] = [Self::Require, Self::Adapt, Self::Drop];

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Adapt => "adapt",
            Self::Drop => "drop",
        }
    }

    /// Whether a loss of that kind is tolerated.
    pub const fn takes(self, kind: LossKind) -> bool {
        match (self, kind) {
            (Self::Require, _) | (Self::Adapt, LossKind::Dropped) => false,
            (Self::Adapt, LossKind::Adapted) | (Self::Drop, _) => true,
        }
    }
}

/// What is tolerated, by what a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossPolicy([Tolerance; Subject::ALL.len()]);

impl LossPolicy {
    /// No loss at all.
    pub const STRICT: Self = Self([Tolerance::Require; Subject::ALL.len()]);

    /// The same, with another tolerance for a subject.
    #[must_use]
    pub fn with(mut self, subject: Subject, tolerance: Tolerance) -> Self {
        if let Some(place) = self.0.get_mut(subject as usize) {
            *place = tolerance;
        }
        self
    }

    /// The first loss that is not tolerated, and for which the request must not be sent so.
    pub fn intolerable<'a>(&self, losses: &'a [Loss]) -> Option<&'a Loss> {
        losses.iter().find(|loss| {
            let tolerance = self.0.get(loss.subject as usize).copied().unwrap_or(Tolerance::Require);
            !tolerance.takes(loss.kind)
        })
    }
}

impl Default for LossPolicy {
    fn default() -> Self {
        Self(Subject::ALL.map(Subject::tolerance))
    }
}

impl Subject {
    /// What is tolerated unless somebody decided otherwise: what the answer depends on must not vanish, hints may.
    pub const fn tolerance(self) -> Tolerance {
        match self {
            Self::Tools | Self::Schema | Self::Reasoning | Self::Content => Tolerance::Adapt,
            Self::Sampling | Self::Cache | Self::State | Self::Labels | Self::Other => Tolerance::Drop,
        }
    }
}

/// Writes the unknown members kept for `dialect` back; those of another dialect are lost, unless they are `null`. Members
/// kept for an object inside (`member.key`) are left to [`restore_nested`].
pub(crate) fn restore(
    object: &mut Object<'_>,
    extras: &Extras,
    dialect: Dialect,
    level: &dyn Fn() -> String,
    losses: &mut Losses,
) {
    if extras.is_of(dialect) {
        for (key, value) in extras.fields().iter().filter(|(key, _)| !key.contains('.')) {
            object.raw(key, value);
        }
        return;
    }
    lose_extras(extras, level, losses);
}

/// Writes back what was kept for the object inside that `member` is; nothing that is not `dialect`'s.
pub(crate) fn restore_nested(object: &mut Object<'_>, extras: &Extras, dialect: Dialect, member: &str) {
    if extras.is_of(dialect) {
        for (key, value) in extras.fields() {
            if let Some(key) = key.strip_prefix(member).and_then(|key| key.strip_prefix('.')) {
                object.raw(key, value);
            }
        }
    }
}

/// Notes that the unknown members kept at a level are lost, unless they are `null` or a name that names nothing elsewhere.
pub(crate) fn lose_extras(extras: &Extras, level: &dyn Fn() -> String, losses: &mut Losses) {
    let names_an_item =
        |key: &str| extras.is_of(Dialect::OpenaiResponses) && matches!(key, "id" | "message.id");
    let said = extras.fields().iter().filter(|(key, value)| !value.is_null() && !names_an_item(key));
    for (key, _) in said {
        let level = level();
        let path = if level.is_empty() { key.to_string() } else { format!("{level}.{key}") };
        losses.dropped(Subject::Other, path, "the provider's dialect has no such field");
    }
}
