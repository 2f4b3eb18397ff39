//! `xtask tidy`: the rules of the house that no compiler holds. Each is a function with a name; what it finds says what
//! to do. Not style: that is rustfmt's and clippy's.
//!
//! Where to look first: [`RULES`]; then `tidy/sources.rs` (what code may say), `tidy/manifests.rs` (who may import
//! whom), `tidy/files.rs` (what every file must be) and `tidy/documents.rs` (what pages say of the tests).

mod documents;
mod files;
mod lexer;
mod manifests;
mod source;
mod sources;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

use toml::Table;

use self::source::Source;
use self::tree::Tree;

/// A rule: its name and how it is checked.
type Rule = (&'static str, fn(&House<'_>) -> Vec<Finding>);

/// All rules.
const RULES: &[Rule] = &[
    ("crates import lower floors only", manifests::crates_import_lower_floors),
    ("crates keep away from what is not theirs", manifests::crates_keep_away),
    ("nothing is patched", manifests::nothing_is_patched),
    ("unsafe code is forbidden", manifests::lints_are_inherited),
    ("pure crates do no I/O and hold no clock", sources::pure_crates_are_pure),
    ("provider ids stay in providers", sources::provider_ids_stay_in_providers),
    ("dialects are matched in wire only", sources::dialects_are_matched_in_wire),
    ("one place dispatches", sources::one_place_dispatches),
    ("two values are swapped", sources::two_values_are_swapped),
    ("store methods take a tenant scope", sources::store_methods_take_a_tenant_scope),
    ("modules say what they are", files::modules_say_what_they_are),
    ("files hold one idea", files::files_hold_one_idea),
    ("nothing is left unfinished", files::nothing_is_left_unfinished),
    ("tests are not put aside", files::tests_are_not_put_aside),
    ("no path leaves the tree", files::no_path_leaves_the_tree),
    ("fixtures say where they come from", files::fixtures_say_where_they_come_from),
    ("promises have tests", documents::promises_have_tests),
];

/// This tool names what it looks for, so some rules pass over it.
const ITSELF: &str = "crates/xtask/src/tidy/";

/// What a rule found.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1; 0 where it is the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// The project, read once for all rules.
struct House<'a> {
    tree: &'a Tree,
    /// Every manifest, by path; the workspace's own is `Cargo.toml`.
    manifests: Vec<(&'a str, Table)>,
    sources: Vec<Source<'a>>,
}

impl<'a> House<'a> {
    fn new(tree: &'a Tree) -> Result<Self, String> {
        let mut manifests = Vec::new();
        for (path, text) in tree.files().filter(|(path, _)| path.ends_with("Cargo.toml")) {
            manifests.push((path, text.parse().map_err(|error| format!("{path}: {error}"))?));
        }
        let mut sources: Vec<_> = tree.rust_files().map(|(path, text)| Source::new(path, text)).collect();
        let tests: BTreeSet<_> = sources.iter().flat_map(Source::test_files).collect();
        for source in &mut sources {
            let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
            let within = |test: &String| module == test || module.starts_with(&format!("{test}/"));
            if tests.iter().any(within) {
                source.code.clear();
            }
        }
        Ok(Self { tree, manifests, sources })
    }

    /// What each rule found, of the rules that found something.
    fn findings(&self) -> Vec<(&'static str, Vec<Finding>)> {
        let checked = RULES.iter().map(|(name, check)| (*name, check(self)));
        checked.filter(|(_, found)| !found.is_empty()).collect()
    }
}

/// Checks the project; the error lists everything found.
pub(crate) fn run() -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tree = Tree::read(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    let house = House::new(&tree)?;
    let findings = house.findings();
    if findings.is_empty() {
        return Ok(format!("tidy: {} rules hold over {} files", RULES.len(), tree.files().count()));
    }
    let mut report = String::from("not tidy");
    for (rule, found) in findings {
        write!(report, "\n\n{rule}:").map_err(|error| error.to_string())?;
        for finding in found {
            write!(report, "\n  {finding}").map_err(|error| error.to_string())?;
        }
    }
    Err(report)
}
