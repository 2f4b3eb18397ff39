//! What a model to fall back to cannot do that a route's own models can: found when a configuration is loaded, before a
//! request finds it.
//!
//! Not the choice for a request: that is [`crate::filter`], which looks at the same facts. As there, only a known "no"
//! counts: whoever is unknown is in nobody's way. Look first at [`shortcomings`].

use trunkline_catalogue::Support;
use trunkline_domain::{Operation, Text};

use crate::filter::{Need, does_operation_at_all};
use crate::resolve::model;
use crate::world::{Deployment, OfferTable};

/// Why a model is fallen back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The prompt is too long for the route's own models.
    ContextLength,
    /// Their content policy refuses.
    ContentPolicy,
    /// Any other cause.
    General,
}

/// Something a fallback lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcoming {
    /// It does nothing that the route's models do: no request of the route can go there.
    Sort,
    /// What is too long for each of the route's models is too long for it.
    NoLonger {
        /// Its context window, in tokens.
        window: u64,
        /// The smallest of the route's models.
        theirs: u64,
    },
    /// It takes longer prompts than some of the route's models, but no longer ones than others.
    LongerThanSome {
        /// Its context window, in tokens.
        window: u64,
        /// The largest of the route's models.
        theirs: u64,
    },
    /// It takes shorter prompts only.
    Shorter {
        /// Its context window, in tokens.
        window: u64,
        /// The largest of the route's models.
        theirs: u64,
    },
    /// It cannot do this, and a model of the route can; as an exclusion names it.
    Lacks(&'static str),
}

impl Shortcoming {
    /// Whether no request can ever be helped by this fallback.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Sort | Self::NoLonger { .. })
    }
}

/// What a fallback lacks. Nothing for a name that leads nowhere; one shortcoming that is fatal stands alone.
pub fn shortcomings(table: &OfferTable, targets: &[Text], fallback: &str, why: Why) -> Vec<Shortcoming> {
    let own = Models::of(table, [fallback]);
    let theirs = Models::of(table, targets.iter().map(|target| &**target));
    if own.deployments.is_empty() {
        return Vec::new();
    }
    if !own.shares_operation(&theirs) {
        return vec![Shortcoming::Sort];
    }
    let window = window(&own, &theirs, why);
    if window.as_ref().is_some_and(Shortcoming::is_fatal) {
        return Vec::from_iter(window);
    }
    let lacking = Need::ALL.into_iter().filter(|need| theirs.some_can(*need) && own.all_lack(*need));
    window.into_iter().chain(lacking.map(|need| Shortcoming::Lacks(need.as_str()))).collect()
}

fn window(own: &Models<'_>, theirs: &Models<'_>, why: Why) -> Option<Shortcoming> {
    let window = own.windows()?.max()?;
    let largest = theirs.known_windows().max()?;
    let smallest = theirs.windows().and_then(Iterator::min);
    match (why, smallest) {
        (Why::ContextLength, Some(theirs)) if window <= theirs => {
            Some(Shortcoming::NoLonger { window, theirs })
        }
        (Why::ContextLength, _) if window <= largest => {
            Some(Shortcoming::LongerThanSome { window, theirs: largest })
        }
        (Why::ContentPolicy | Why::General, _) if window < largest => {
            Some(Shortcoming::Shorter { window, theirs: largest })
        }
        (Why::ContextLength | Why::ContentPolicy | Why::General, _) => None,
    }
}

/// Everybody who serves some names.
struct Models<'a> {
    deployments: Vec<&'a Deployment>,
    /// A name leads nowhere: whoever comes to serve it may do anything.
    incomplete: bool,
}

impl<'a> Models<'a> {
    fn of<'n>(table: &'a OfferTable, names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut models = Self { deployments: Vec::new(), incomplete: false };
        for name in names {
            let tier = model(table, name);
            models.incomplete |= tier.is_none();
            let found = tier.into_iter().flat_map(|tier| tier.deployments);
            models.deployments.extend(found.filter_map(|ix| table.get(ix)));
        }
        models
    }

    fn shares_operation(&self, others: &Self) -> bool {
        let does = |models: &Self, operation| {
            models.deployments.iter().any(|deployment| does_operation_at_all(operation, deployment))
        };
        let mut asked = [Operation::Chat, Operation::TextCompletion, Operation::Embeddings].into_iter();
        others.incomplete || asked.any(|operation| does(self, operation) && does(others, operation))
    }

    fn known_windows(&self) -> impl Iterator<Item = u64> {
        self.deployments.iter().filter_map(|deployment| deployment.offer.context_window)
    }

    /// All windows, if all are known.
    fn windows(&self) -> Option<impl Iterator<Item = u64>> {
        let known = !self.incomplete && self.known_windows().count() == self.deployments.len();
        known.then(|| self.known_windows())
    }

    fn some_can(&self, need: Need) -> bool {
        self.deployments.iter().any(|deployment| need.is_met(&deployment.offer) == Support::Yes)
    }

    fn all_lack(&self, need: Need) -> bool {
        self.deployments.iter().all(|deployment| need.is_met(&deployment.offer) == Support::No)
    }
}
