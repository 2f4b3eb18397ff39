//! Who shows what an answer says: a provider's own fixtures vouch for it, those of others show only what becomes of it where
//! it comes.

use trunkline_domain::Dialect;
use trunkline_wire::quirks::Quirks;

use super::Cell;
use super::answers::{self, Answer};
use super::cells::{Unsettled, Verdict};
use super::columns::Column;
use super::fixtures::{Case, Cited, Claims, Examples};
use super::probes::AnswerProbe;

/// A dialect in which providers answer.
pub(super) struct Spoken {
    pub(super) dialect: Dialect,
    pub(super) examples: Examples,
    /// Its fixtures, whosever they are.
    pub(super) cases: Vec<Case>,
}

impl Spoken {
    /// Whether a case of the dialect is a provider's.
    pub(super) fn is_of(&self, case: &Case, provider: &str) -> bool {
        case.provider.as_deref().unwrap_or(&self.examples.provider) == provider
    }
}

/// What somebody's fixtures show.
#[derive(Clone)]
struct Shown {
    verdict: Verdict,
    constructed: bool,
}

/// What the dialect's fixtures show wherever it is spoken in one way: computed once.
#[derive(Default)]
pub(super) struct Known(Vec<(Dialect, Quirks, Option<Shown>)>);

/// What becomes of an answer's capability on its way from a provider to a caller.
pub(super) fn cell(
    probe: &AnswerProbe,
    (spoken, column): (&Spoken, &Column),
    caller: Dialect,
    known: &mut Known,
) -> Result<Cell, Unsettled> {
    let quirks = &column.spec.quirks;
    let way = (spoken.dialect, caller);
    let of_dialect = spoken.cases.iter().filter(|case| spoken.is_of(case, column.spec.id));
    let of_provider = column.cases.iter().filter(|case| case.dialect == Some(spoken.dialect));
    let own = best(probe, of_dialect.chain(of_provider), way, quirks)?;
    let all = known.all(probe, spoken, caller, quirks)?;
    let particular = spoken.examples.particular(column.spec.id);
    let claim = |claims: Option<&Claims>| claims.and_then(|all| all.get(probe.key)).cloned();
    if let Some(cited) = claim(particular.map(|at| &at.silent)) {
        let why = "the provider's answers have no field for it";
        return if own.is_some() { Err(Unsettled::Contradicted) } else { Ok(silent(why, cited)) };
    }
    if let Some(cited) = claim(particular.map(|at| &at.unasked)) {
        let why = format!("said only where it is asked for, which the gateway does not do: <{}>", cited.url);
        return Ok(Cell { verdict: Verdict::Adapted(vec![why]), hollow: true, docs: None });
    }
    match (own, all, claim(Some(&spoken.examples.silent))) {
        (Some(Shown { verdict, constructed: false }), _, _) => {
            Ok(Cell { verdict, hollow: !column.verified(), docs: None })
        }
        (None, _, Some(cited)) => Ok(silent("answers of its dialect have no field for it", cited)),
        // What nobody showed is shown best by what loses least.
        (own, all, _) => {
            let shown = all.into_iter().chain(own).min_by_key(|shown| shown.verdict.losses());
            let verdict = shown.ok_or(Unsettled::Example)?.verdict;
            Ok(Cell { verdict, hollow: true, docs: None })
        }
    }
}

fn silent(why: &str, cited: Cited) -> Cell {
    Cell { verdict: Verdict::Refused(why.to_owned()), hollow: false, docs: Some(cited.url) }
}

impl Known {
    fn all(
        &mut self,
        probe: &AnswerProbe,
        spoken: &Spoken,
        caller: Dialect,
        quirks: &Quirks,
    ) -> Result<Option<Shown>, Unsettled> {
        let same = self.0.iter().find(|(from, other, _)| (*from, other) == (spoken.dialect, quirks));
        if let Some((_, _, shown)) = same {
            return Ok(shown.clone());
        }
        let way = (spoken.dialect, caller);
        let mut shown = best(probe, spoken.cases.iter(), way, quirks)?;
        if let Some(body) = spoken.examples.answer.get(probe.key) {
            let given = Answer::example(probe.said, body, spoken.dialect, quirks)?;
            let verdict = answers::answer(probe, &given, way)?.ok_or(Unsettled::Example)?;
            // Made for the purpose: of two that are as good, this one.
            let example = Shown { verdict, constructed: true };
            shown = Some(match shown {
                Some(shown) => better(Some(example), shown),
                None => example,
            });
        }
        self.0.push((spoken.dialect, *quirks, shown.clone()));
        Ok(shown)
    }
}

/// What the case shows that vouches for most.
fn best<'a>(
    probe: &AnswerProbe,
    cases: impl Iterator<Item = &'a Case>,
    (from, to): (Dialect, Dialect),
    quirks: &Quirks,
) -> Result<Option<Shown>, Unsettled> {
    let mut best = None;
    for case in cases {
        let shown = Answer::of(probe.said, case, from, quirks).and_then(|given| match given {
            Some(given) => answers::answer(probe, &given, (from, to)),
            None => Ok(None),
        });
        let shown = shown.map_err(|why| Unsettled::In { case: case.name(), why: Box::new(why) })?;
        if let Some(verdict) = shown {
            best = Some(better(best, Shown { verdict, constructed: case.constructed }));
        }
    }
    Ok(best)
}

/// The one that vouches for more; of two that are as good, the first.
fn better(known: Option<Shown>, other: Shown) -> Shown {
    let rank = |shown: &Shown| (shown.constructed, shown.verdict.losses());
    match known {
        Some(known) if rank(&known) <= rank(&other) => known,
        _ => other,
    }
}
