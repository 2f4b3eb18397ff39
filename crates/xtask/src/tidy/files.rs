//! Rules that every file keeps, whatever it says. Where to look first: [`UNFINISHED`] and [`OUTSIDE`].

use toml::{Table, Value};

use super::lexer::{Kind, Token};
use super::tree::extension;
use super::{Finding, House, ITSELF};

/// Longer, and a second idea has moved in.
const LINES_MAX: usize = 600;

/// Notes to oneself.
const UNFINISHED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

/// Macros that stand for code which is not there.
const UNWRITTEN: [&str; 2] = ["todo", "unimplemented"];

/// Places that exist on somebody's machine only.
const OUTSIDE: [&str; 4] = ["/home/", "/root/", "/Users/", "C:\\"];

/// The kinds of evidence for a fixture, and what each must name.
const PROVENANCE: [(&str, &str); 4] =
    [("documented", "url"), ("sdk-source", "path"), ("recorded", "from"), ("constructed", "from")];

/// Why a test may be left out of a run: another test runs it.
const CHILD: &str = "run as a child process";

/// Every module opens with `//!`: what it is, what it is not, where to look first.
pub(super) fn modules_say_what_they_are(house: &House<'_>) -> Vec<Finding> {
    let silent = house
        .sources
        .iter()
        .filter(|source| !source.everything.first().is_some_and(|first| first.text.starts_with("//!")));
    silent
        .map(|source| {
            Finding::new(source.path, 1, "open with `//!`: what it is, what it is not, where to look first")
        })
        .collect()
}

/// A file that grows past [`LINES_MAX`] is to be taken apart.
pub(super) fn files_hold_one_idea(house: &House<'_>) -> Vec<Finding> {
    let rust = house.tree.rust_files();
    rust.filter_map(|(path, text)| {
        let lines = text.lines().count();
        let message =
            || format!("{lines} lines, {LINES_MAX} at most: move the second idea into a file of its own");
        (lines > LINES_MAX).then(|| Finding::new(path, 0, message()))
    })
    .collect()
}

/// What is not finished is not there, and a note about it belongs into an issue.
pub(super) fn nothing_is_left_unfinished(house: &House<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut report = |path: &str, line: usize, word: &str| {
        found.push(Finding::new(
            path,
            line,
            format!("`{word}`: finish it, or leave it out and open an issue"),
        ));
    };
    for source in house.sources.iter().filter(|source| !source.path.starts_with(ITSELF)) {
        for comment in source.everything.iter().filter(|token| token.kind == Kind::Comment) {
            for (offset, word) in notes(comment.text) {
                report(source.path, comment.line + offset, word);
            }
        }
        for (word, line) in macros(&source.everything) {
            report(source.path, line, word);
        }
    }
    for (path, text) in house.tree.files().filter(|(path, _)| is_written(path)) {
        for (offset, word) in notes(text) {
            report(path, offset + 1, word);
        }
    }
    found
}

/// The notes in a text, with how many lines into it they stand. A word in backticks is spoken of, not used.
fn notes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(offset, line)| {
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '`');
        words.filter(|word| UNFINISHED.contains(word)).map(move |word| (offset, word))
    })
}

fn macros<'s, 'a>(code: &'s [Token<'a>]) -> impl Iterator<Item = (&'a str, usize)> + 's {
    code.windows(2).filter_map(|window| match window {
        [name, bang] if UNWRITTEN.iter().any(|word| name.is(word)) && bang.is("!") => {
            Some((name.text, name.line))
        }
        _ => None,
    })
}

/// Whether a person wrote the file as text or script. Fixtures are what others wrote.
fn is_written(path: &str) -> bool {
    let kinds = ["", "md", "toml", "sh", "py", "js", "mjs", "ts", "sql", "yml", "yaml"];
    !path.starts_with("fixtures/") && kinds.contains(&extension(path))
}

/// A test that is not run says nothing. The exception is one that another test runs as a process of its own.
pub(super) fn tests_are_not_put_aside(house: &House<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in house.sources.iter().filter(|source| !source.path.starts_with(ITSELF)) {
        for (at, token) in source.everything.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| source.everything.get(before));
            let reason = source.everything.get(at + 2).filter(|reason| reason.kind == Kind::Text);
            let child = reason.is_some_and(|reason| reason.text.starts_with(CHILD));
            let ignored = token.is("ignore") && before.is_some_and(|open| open.is("[")) && !child;
            if ignored || (token.kind == Kind::Comment && token.text.contains("```ignore")) {
                let message =
                    format!("run it, delete it, or `#[ignore = \"{CHILD} by …\"]` and let a test run it");
                found.push(Finding::new(source.path, token.line, message));
            }
        }
    }
    found
}

/// The project speaks of itself only: no path of a machine, none that climbs out of the tree.
pub(super) fn no_path_leaves_the_tree(house: &House<'_>) -> Vec<Finding> {
    let files =
        house.tree.files().filter(|(path, _)| !path.starts_with(ITSELF) && !path.starts_with("fixtures/"));
    files
        .flat_map(|(path, text)| {
            let climb = "../".repeat(path.matches('/').count() + 1);
            text.lines().enumerate().filter_map(move |(at, line)| {
                let outside = OUTSIDE.iter().find(|outside| line.contains(**outside));
                let outside = outside.copied().or_else(|| line.contains(&climb).then_some("../"))?;
                let message =
                    format!("`{outside}` is a place outside the project: name what it is for instead");
                Some(Finding::new(path, at + 1, message))
            })
        })
        .collect()
}

/// Each `case.toml` says how its bytes are known.
pub(super) fn fixtures_say_where_they_come_from(house: &House<'_>) -> Vec<Finding> {
    let cases =
        house.tree.files().filter(|(path, _)| path.starts_with("fixtures/") && path.ends_with("/case.toml"));
    cases
        .filter(|(_, text)| !text.parse::<Table>().is_ok_and(|case| has_provenance(&case)))
        .map(|(path, _)| {
            let message = "set `provenance = { kind = \"documented\" | \"sdk-source\" | \"recorded\" | \
                           \"constructed\", … }` with the url, path or source it is taken from";
            Finding::new(path, 0, message)
        })
        .collect()
}

fn has_provenance(case: &Table) -> bool {
    let named = |key: &str| case.get("provenance").and_then(|table| table.get(key)).and_then(Value::as_str);
    let kind = PROVENANCE.iter().find(|(kind, _)| named("kind") == Some(kind));
    kind.and_then(|(_, source)| named(source)).is_some_and(|source| !source.trim().is_empty())
}
