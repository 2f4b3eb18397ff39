//! What pages say of the tests: that a promise has one, and that it is there.
//!
//! Where to look first: [`promises_have_tests`].

use std::collections::BTreeSet;

use super::{Finding, House};

/// Pages with tables whose last column names the tests that hold what the row says, and whether every row must name one.
const PAGES: [(&str, Rows); 2] =
    [("docs/concepts/failure-modes.md", Rows::AllTested), ("ARCHITECTURE.md", Rows::SomeTested)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    AllTested,
    SomeTested,
}

/// A name of so many words is a test's and no key's, file's or metric's.
const WORDS_MIN: usize = 4;

/// The tests a page names are there, and a row that promises something names one.
pub(super) fn promises_have_tests(house: &House<'_>) -> Vec<Finding> {
    let tests: BTreeSet<&str> = house.tree.rust_files().flat_map(|(_, text)| tests(text)).collect();
    let mut found = Vec::new();
    for (path, text) in house.tree.files() {
        let Some((_, which)) = PAGES.iter().find(|(page, _)| *page == path) else { continue };
        for (line, cell) in last_cells(text) {
            let named: Vec<&str> = names(cell).collect();
            let missing = named.iter().filter(|name| !tests.contains(*name));
            found.extend(missing.map(|name| {
                Finding::new(path, line, format!("there is no test `{name}`: name one that holds this row"))
            }));
            if named.is_empty() && *which == Rows::AllTested {
                found.push(Finding::new(path, line, "name the test that holds this row in its last column"));
            }
        }
    }
    found
}

/// The names of the functions that are tests.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let mut marked = false;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        if line.starts_with("#[") {
            marked |= line.contains("test]") || line.contains("test(");
            return None;
        }
        let name = line.trim_start_matches("async ").strip_prefix("fn ")?.split(['(', '<']).next();
        std::mem::take(&mut marked).then_some(name).flatten()
    })
}

/// The last cell of every row of the tables, with its line.
fn last_cells(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut header = true;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let Some(row) = line.strip_prefix('|').and_then(|row| row.trim_end().strip_suffix('|')) else {
            header = true;
            return None;
        };
        if header || row.starts_with("---") {
            header = false;
            return None;
        }
        Some((at + 1, row.rsplit('|').next().unwrap_or(row)))
    })
}

fn names(cell: &str) -> impl Iterator<Item = &str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|name| {
        let plain =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        plain && name.split('_').count() >= WORDS_MIN
    })
}
