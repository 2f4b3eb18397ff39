//! Rules about what code may say. They look at shipped code only: tests may do as they like.
//! Where to look first: [`PURE`], [`WORDS`] and [`SWAPPED`].

use std::ops::Range;

use super::lexer::{Kind, Token};
use super::source::{Source, group};
use super::{Finding, House, ITSELF};

/// Crates whose answers follow from their arguments alone.
pub(super) const PURE: [&str; 5] =
    ["crates/domain", "crates/wire", "crates/catalogue", "crates/providers", "crates/routing"];

/// Words that have no place in a pure crate, whatever they stand for there.
const IMPURE_WORDS: [&str; 8] =
    ["async", "await", "SystemTime", "Instant", "now_v7", "now_v1", "new_v4", "RandomState"];

/// Modules of the standard library that reach outside.
const IMPURE_MODULES: [&str; 5] = ["fs", "net", "process", "thread", "env"];

/// Crates that reach outside.
const IMPURE_CRATES: [&str; 4] = ["rand", "getrandom", "tokio", "rustix"];

/// Where a provider's id may stand although it is not the provider's file: a folder or file, the id, and why.
const WORDS: [(&str, &str, &str); 4] = [
    (
        "crates/catalogue/src/sandbox.rs",
        "sandbox",
        "the simulated models are catalogue data in the form of code",
    ),
    ("crates/upstream/src/sandbox/", "sandbox", "the simulated provider itself"),
    ("crates/wire/src/", "custom", "a kind of tool in OpenAI's chat dialect"),
    ("crates/testkit/src/fake_provider/", "custom", "the same kind of tool"),
];

/// The files that hold a value which is swapped while others read it.
const SWAPPED: [&str; 2] = ["crates/engine/src/snapshot/mod.rs", "crates/engine/src/measure.rs"];

const REGISTRY: &str = "crates/providers/src/registry.rs";
const EXECUTE: &str = "crates/engine/src/execute/";

/// `domain`, `wire`, `catalogue`, `providers` and `routing` wait for nothing, read no clock, draw no random number and
/// touch neither files nor sockets.
pub(super) fn pure_crates_are_pure(house: &House<'_>) -> Vec<Finding> {
    let pure = house.sources.iter().filter(|source| PURE.contains(&source.folder));
    pure.flat_map(|source| {
        let found = source.code.iter().enumerate().filter_map(|(at, token)| {
            let rest = source.code.get(at..)?;
            let name = impure(rest)?;
            let advice = "take the time, the random number or the bytes as an argument";
            Some(Finding::new(source.path, token.line, format!("`{name}` in a pure crate: {advice}")))
        });
        found.collect::<Vec<_>>()
    })
    .collect()
}

/// The impure thing that code begins with.
fn impure(code: &[Token<'_>]) -> Option<String> {
    let (first, rest) = code.split_first()?;
    if first.kind != Kind::Word {
        return None;
    }
    let path = rest.first().is_some_and(|next| next.is("::"));
    if IMPURE_WORDS.contains(&first.text) || (path && IMPURE_CRATES.contains(&first.text)) {
        return Some(first.text.to_owned());
    }
    if path && matches!(first.text, "Timestamp" | "Zoned") && rest.get(1).is_some_and(|word| word.is("now")) {
        return Some(format!("{}::now", first.text));
    }
    let modules = if path && first.is("std") { first_of_path(rest.get(1..)?) } else { Vec::new() };
    modules.into_iter().find(|module| IMPURE_MODULES.contains(module)).map(|module| format!("std::{module}"))
}

/// The first names of a path or of a `{…}` of paths.
fn first_of_path<'a>(code: &[Token<'a>]) -> Vec<&'a str> {
    let Some(first) = code.first() else { return Vec::new() };
    if !first.is("{") {
        return vec![first.text];
    }
    let mut depth = 0_usize;
    let mut begins = false;
    let mut names = Vec::new();
    for token in code.iter().take(group(code)) {
        if depth == 1 && begins && token.kind == Kind::Word {
            names.push(token.text);
        }
        begins = token.is("{") || token.is(",");
        depth = depth.saturating_add(usize::from(token.is("{"))).saturating_sub(usize::from(token.is("}")));
    }
    names
}

/// A provider is its file in `providers`: its id as a text elsewhere is a branch on who somebody is.
pub(super) fn provider_ids_stay_in_providers(house: &House<'_>) -> Vec<Finding> {
    let ids = provider_ids(house);
    if ids.is_empty() && house.sources.iter().any(|source| source.folder == "crates/providers") {
        return vec![Finding::new(REGISTRY, 0, "no list of providers here: name in this rule where it went")];
    }
    let outside = house
        .sources
        .iter()
        .filter(|source| source.folder != "crates/providers" && !source.path.starts_with(ITSELF));
    outside
        .flat_map(|source| source.code.iter().map(move |token| (source.path, token)))
        .filter(|(path, token)| {
            token.kind == Kind::Text
                && ids.contains(&token.text)
                && !WORDS.iter().any(|(place, id, _)| path.starts_with(place) && *id == token.text)
        })
        .map(|(path, token)| {
            let id = token.text;
            let advice = "say it as data in the provider's spec, and read the spec";
            Finding::new(path, token.line, format!("\"{id}\" is a provider's id: {advice}"))
        })
        .collect()
}

/// The names in the registry's list.
fn provider_ids<'a>(house: &House<'a>) -> Vec<&'a str> {
    let Some(registry) = house.sources.iter().find(|source| source.path == REGISTRY) else {
        return Vec::new();
    };
    let lists = registry.code.windows(3).enumerate().filter_map(|(at, window)| match window {
        [name, bang, open] if name.is("providers") && bang.is("!") && open.is("{") => {
            registry.code.get(at + 2..)
        }
        _ => None,
    });
    let words = lists.flat_map(|list| list.iter().take(group(list)));
    words.filter(|token| token.kind == Kind::Word).map(|token| token.text).collect()
}

/// What differs between dialects is known in `wire`; elsewhere a dialect is handed on, never asked about.
pub(super) fn dialects_are_matched_in_wire(house: &House<'_>) -> Vec<Finding> {
    let elsewhere = |source: &&Source<'_>| {
        source.folder != "crates/wire" && source.path != "crates/domain/src/dialect.rs"
    };
    house
        .sources
        .iter()
        .filter(elsewhere)
        .flat_map(|source| {
            let judged = judged(&source.code);
            let lines = judged.into_iter().map(|token| token.line);
            let advice = "give its codec in wire a method, or hand the dialect on";
            lines.map(move |line| Finding::new(source.path, line, format!("a match on Dialect: {advice}")))
        })
        .collect()
}

/// The mentions of a dialect by name on which code branches: in a pattern, or compared with.
fn judged<'s, 'a>(code: &'s [Token<'a>]) -> Vec<&'s Token<'a>> {
    let patterns: Vec<_> = (0..code.len()).filter_map(|at| pattern(code, at)).collect();
    let is = |at: usize, text: &str| code.get(at).is_some_and(|token| token.is(text));
    let compares = |at: usize| (is(at, "=") || is(at, "!")) && is(at + 1, "=");
    code.iter()
        .enumerate()
        .filter(|(at, token)| {
            token.is("Dialect")
                && is(at + 1, "::")
                && (patterns.iter().any(|range| range.contains(at))
                    || compares(at + 3)
                    || at.checked_sub(2).is_some_and(compares))
        })
        .map(|(_, token)| token)
        .collect()
}

/// The pattern that the token at `at` belongs to: before `=>`, after `let`, or within `matches!(…)`.
fn pattern(code: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let token = code.get(at)?;
    if token.is("=>") {
        return Some(arm_before(code, at)..at);
    }
    let rest = code.get(at..)?;
    if token.is("let") {
        let length = rest.iter().position(|token| token.is("=") || token.is(";"))?;
        return Some(at..at + length);
    }
    let [name, bang, ..] = rest else { return None };
    let is_macro = name.is("matches") && bang.is("!");
    is_macro.then(|| at..at + 2 + group(rest.get(2..).unwrap_or_default()))
}

/// Where the arm begins whose `=>` is at `arrow`.
fn arm_before(code: &[Token<'_>], arrow: usize) -> usize {
    let mut depth = 0_usize;
    let mut start = arrow;
    while let Some(at) = start.checked_sub(1)
        && let Some(token) = code.get(at)
    {
        let closes = token.is("}") || token.is(")") || token.is("]");
        let opens = token.is("{") || token.is("(") || token.is("[");
        let goes_on = code.get(start).is_some_and(|next| next.is("=>") || next.is("|") || next.is("if"));
        if depth == 0 && (opens || token.is(",") || (token.is("}") && !goes_on)) {
            break;
        }
        depth = depth.saturating_add(usize::from(closes)).saturating_sub(usize::from(opens));
        start = at;
    }
    start
}

/// Inference leaves through one call, in `engine::execute`, where money is held and the rules have been asked.
pub(super) fn one_place_dispatches(house: &House<'_>) -> Vec<Finding> {
    let ways_out = ["crates/upstream", "crates/testkit"];
    let callers = house.sources.iter().filter(|source| !ways_out.contains(&source.folder));
    let calls: Vec<_> =
        callers.flat_map(|source| calls(source).map(move |line| (source.path, line))).collect();
    let (inside, outside): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|(path, _)| path.starts_with(EXECUTE));
    let mut found: Vec<_> = outside
        .into_iter()
        .chain(inside.iter().skip(1).copied())
        .map(|(path, line)| Finding::new(path, line, "a second way out: send it through Engine::serve"))
        .collect();
    if inside.is_empty() && house.sources.iter().any(|source| source.path.starts_with(EXECUTE)) {
        found.push(Finding::new(EXECUTE, 0, "nothing calls dispatch here: name in this rule where it went"));
    }
    found
}

/// The lines on which a source calls `dispatch`.
fn calls<'s>(source: &'s Source<'_>) -> impl Iterator<Item = usize> + 's {
    source.code.windows(3).filter_map(|window| match window {
        [before, name, open] => {
            let called = (before.is(".") || before.is("::")) && name.is("dispatch") && open.is("(");
            called.then_some(name.line)
        }
        _ => None,
    })
}

/// The snapshot and the live table are swapped; everybody else is handed references.
pub(super) fn two_values_are_swapped(house: &House<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &house.sources {
        let named = |at: usize| source.code.get(at).is_some_and(|token| token.text.starts_with("ArcSwap"));
        let swaps: Vec<_> = source
            .code
            .iter()
            .enumerate()
            .filter(|(at, token)| token.is("arc_swap") || (named(*at) && token.kind == Kind::Word))
            .collect();
        let fields = swaps.iter().filter(|(at, _)| source.code.get(at + 1).is_some_and(|next| next.is("<")));
        let allowed = usize::from(SWAPPED.contains(&source.path));
        let extra = fields.map(|(_, token)| token).nth(allowed);
        let stranger = swaps.first().map(|(_, token)| token).filter(|_| allowed == 0);
        if let Some(token) = stranger.or(extra) {
            let advice = "read it from the snapshot or the live table";
            found.push(Finding::new(source.path, token.line, format!("another ArcSwap: {advice}")));
        }
    }
    found
}

/// A store method that takes no scope could touch another tenant's rows.
pub(super) fn store_methods_take_a_tenant_scope(house: &House<'_>) -> Vec<Finding> {
    let stores =
        house.sources.iter().filter(|source| matches!(source.folder, "crates/ledger" | "crates/store"));
    stores
        .flat_map(|source| {
            let traits = source.code.windows(2).enumerate().filter_map(|(at, window)| match window {
                [word, name] if word.is("trait") && name.text.ends_with("Store") => source.code.get(at..),
                _ => None,
            });
            traits.flat_map(unscoped_methods).map(|(name, line)| {
                let message =
                    format!("`{name}` takes no TenantScope: let it, and keep it to that scope's rows");
                Finding::new(source.path, line, message)
            })
        })
        .collect()
}

/// The methods without a scope of the trait that code begins with.
fn unscoped_methods<'a>(code: &[Token<'a>]) -> Vec<(&'a str, usize)> {
    let Some(open) = code.iter().position(|token| token.is("{")) else { return Vec::new() };
    let body = code.get(open..).unwrap_or_default();
    let body = body.get(..group(body)).unwrap_or_default();
    let methods = body.windows(2).enumerate().filter_map(|(at, window)| match window {
        [word, name] if word.is("fn") && name.kind == Kind::Word => Some((name, body.get(at..)?)),
        _ => None,
    });
    methods
        .filter(|(_, method)| {
            let open = method.iter().position(|token| token.is("(")).unwrap_or(method.len());
            let arguments = method.get(open..).unwrap_or_default();
            !arguments.iter().take(group(arguments)).any(|token| token.is("TenantScope"))
        })
        .map(|(name, _)| (name.text, name.line))
        .collect()
}
