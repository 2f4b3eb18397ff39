//! What a caller's model name means among the names that are there, and which names it may have meant. Routes and
//! `account/upstream-id` come before and after this lookup; they are not its business.
//!
//! Order: the canonical slug as written; the slug written differently (case, and `.`, `_`, spaces for `-`); the part
//! behind the slash, as written; the same written differently. A name that could mean several models means none.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_domain::ModelName;

/// How many suggestions are made at most.
pub const SUGGESTIONS_MAX: usize = 5;
/// The longest name that is looked at, in bytes: no model is called longer than this.
pub const NAME_BYTES_MAX: usize = 256;
/// How alike two names must be to be suggested, of 1.
const LIKENESS_MIN: f64 = 0.8;

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// This model.
    Model(ModelName),
    /// One of these, and nothing says which.
    Ambiguous(Vec<ModelName>),
    /// Nothing.
    Unknown,
}

/// The model names that are there.
#[derive(Clone, Debug, Default)]
pub struct Names {
    sorted: Vec<ModelName>,
    /// Per way of writing, the places in `sorted`.
    by_slug: BTreeMap<Box<str>, Vec<u32>>,
    by_alias: BTreeMap<Box<str>, Vec<u32>>,
}

impl Names {
    /// Names from canonical slugs; repetitions do no harm.
    pub fn new(names: impl IntoIterator<Item = ModelName>) -> Self {
        let sorted: Vec<ModelName> = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut table = Self::default();
        for (name, place) in sorted.iter().zip(0_u32..) {
            table.by_slug.entry(normalise(name.as_str()).into()).or_default().push(place);
            table.by_alias.entry(normalise(alias(name.as_str())).into()).or_default().push(place);
        }
        Self { sorted, ..table }
    }

    /// What a name means.
    pub fn resolve(&self, asked: &str) -> Resolution {
        if asked.len() > NAME_BYTES_MAX {
            return Resolution::Unknown;
        }
        if let Ok(place) = self.sorted.binary_search_by(|name| name.as_str().cmp(asked)) {
            return self
                .sorted
                .get(place)
                .map_or(Resolution::Unknown, |name| Resolution::Model(name.clone()));
        }
        let normalised = normalise(asked);
        let found = self.by_slug.get(normalised.as_str()).or_else(|| self.by_alias.get(normalised.as_str()));
        let candidates: Vec<&ModelName> =
            found.into_iter().flatten().filter_map(|place| self.sorted.get(*place as usize)).collect();
        let exact: Vec<&ModelName> =
            candidates.iter().copied().filter(|name| alias(name.as_str()) == asked).collect();
        match (exact.as_slice(), candidates.as_slice()) {
            ([one], _) | ([], [one]) => Resolution::Model((*one).clone()),
            (_, []) => Resolution::Unknown,
            _ => Resolution::Ambiguous(candidates.into_iter().cloned().collect()),
        }
    }

    /// The names most like this one, best first, at most [`SUGGESTIONS_MAX`].
    pub fn suggest(&self, asked: &str) -> Vec<ModelName> {
        if asked.is_empty() || asked.len() > NAME_BYTES_MAX {
            return Vec::new();
        }
        let asked = normalise(asked);
        let mut alike: Vec<(f64, &ModelName)> =
            self.sorted.iter().map(|name| (likeness(&asked, name.as_str()), name)).collect();
        alike.retain(|(likeness, _)| *likeness >= LIKENESS_MIN);
        alike.sort_by(|(a, first), (b, second)| b.total_cmp(a).then_with(|| first.cmp(second)));
        alike.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name.clone()).collect()
    }
}

/// The name without its vendor.
fn alias(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, alias)| alias)
}

/// One way of writing: lower case, hyphens for dots, underscores and spaces.
fn normalise(name: &str) -> String {
    let plain = |c: char| if matches!(c, '.' | '_' | ' ') { '-' } else { c.to_ascii_lowercase() };
    name.trim().chars().map(plain).collect()
}

/// How alike a normalised name and a slug are, of 1: the whole against the whole, or the model's part against the
/// model's part, whichever is closer; a beginning counts as nearly equal.
fn likeness(asked: &str, name: &str) -> f64 {
    let name = normalise(name);
    let (asked_alias, name_alias) = (alias(asked), alias(&name));
    if asked_alias.len() >= 3 && name_alias.starts_with(asked_alias) {
        return 1.0
            - 0.001 * f64::from(u8::try_from(name.len() - asked_alias.len()).unwrap_or(u8::MAX)).min(100.0);
    }
    let whole = strsim::jaro_winkler(asked, &name);
    whole.max(strsim::jaro_winkler(asked_alias, name_alias))
}

/// Whether a name asks for the variant that costs nothing (`vendor/model:free`), and the name without it.
pub fn split_free(name: &str) -> (&str, bool) {
    name.strip_suffix(":free").map_or((name, false), |base| (base, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let all = [
            "openai/gpt-5",
            "openai/gpt-5-mini",
            "openai/gpt-4o",
            "anthropic/claude-opus-4.1",
            "meta-llama/llama-3.3-70b",
            "other/llama-3.3-70b",
            "google/gemma-3-27B-it",
            "deepseek/deepseek-r1",
            "deepseek/deepseek-r1:free",
        ];
        Names::new(all.into_iter().map(ModelName::from))
    }

    #[test]
    fn names_resolve_in_order() {
        for (asked, model) in [
            ("openai/gpt-5", "openai/gpt-5"),
            ("gpt-5", "openai/gpt-5"),
            ("OpenAI/GPT-5", "openai/gpt-5"),
            ("claude-opus-4-1", "anthropic/claude-opus-4.1"),
            ("google/gemma-3-27b-it", "google/gemma-3-27B-it"),
            ("deepseek-r1", "deepseek/deepseek-r1"),
            ("deepseek-r1:free", "deepseek/deepseek-r1:free"),
        ] {
            assert_eq!(names().resolve(asked), Resolution::Model(ModelName::from(model)), "{asked}");
        }
    }

    #[test]
    fn what_could_mean_several_means_none() {
        let several = ["meta-llama/llama-3.3-70b", "other/llama-3.3-70b"].map(ModelName::from).to_vec();
        assert_eq!(names().resolve("llama-3.3-70b"), Resolution::Ambiguous(several));
        for unknown in ["", "gpt", "openai/", "openai/gpt-6", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(names().resolve(unknown), Resolution::Unknown, "{unknown}");
        }
    }

    #[test]
    fn suggestions_are_near_and_few() {
        let first = |asked: &str| names().suggest(asked).first().map(ToString::to_string);
        assert_eq!(first("openai/gtp-5").as_deref(), Some("openai/gpt-5"));
        assert_eq!(first("claude-opus-4").as_deref(), Some("anthropic/claude-opus-4.1"));
        assert_eq!(first("lama-3.3-70b").as_deref(), Some("meta-llama/llama-3.3-70b"));
        assert_eq!(names().suggest("zzzzzz"), []);
        let many = Names::new((0..50).map(|n| ModelName::from(format!("v/model-{n}").as_str())));
        assert_eq!(many.suggest("model").len(), SUGGESTIONS_MAX);
    }

    #[test]
    fn the_free_variant_is_a_suffix() {
        assert_eq!(split_free("a/b:free"), ("a/b", true));
        assert_eq!(split_free("a/b:freedom"), ("a/b:freedom", false));
    }
}
