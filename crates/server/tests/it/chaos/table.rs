//! The table: what callers saw, after how long, and what the ledger says; cases with the same outcome in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};

use super::cases::{Form, Providers, Switch};
use super::seen::Outcome;
use crate::kill::rows::Row;

/// What was tried: something that fails, and what the caller asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried<F> {
    pub(crate) failure: F,
    pub(crate) form: Form,
    pub(crate) providers: Providers,
    pub(crate) hedge: Switch,
    pub(crate) resume: Switch,
}

/// What tells lines apart.
type Key<F> = (F, Form, Providers, String, String);

/// The lines so far.
#[derive(Debug)]
pub(crate) struct Table<F>(BTreeMap<Key<F>, Line>);

#[derive(Debug, Default)]
struct Line {
    cases: usize,
    hedge: BTreeSet<Switch>,
    resume: BTreeSet<Switch>,
    /// Milliseconds.
    took: BTreeSet<u128>,
}

impl<F: Ord + Display> Table<F> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn add(&mut self, tried: Tried<F>, outcome: &Outcome, took: u128, rows: &[Row]) {
        let key = (tried.failure, tried.form, tried.providers, saw(outcome), ledger(rows));
        let line = self.0.entry(key).or_default();
        line.cases += 1;
        line.hedge.insert(tried.hedge);
        line.resume.insert(tried.resume);
        line.took.insert(took);
    }

    /// The table, as wide as it must be.
    pub(crate) fn print(&self) -> String {
        let head = [
            "failure",
            "form",
            "providers",
            "hedge",
            "resume",
            "cases",
            "the caller saw",
            "ms",
            "the ledger says",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        for ((failure, form, providers, saw, ledger), line) in &self.0 {
            let range = [line.took.first(), line.took.last()].map(|took| took.copied().unwrap_or_default());
            lines.push([
                failure.to_string(),
                if *form == Form::Streamed { "stream" } else { "whole" }.to_owned(),
                if *providers == Providers::Two { "two" } else { "one" }.to_owned(),
                switches(&line.hedge).to_owned(),
                switches(&line.resume).to_owned(),
                line.cases.to_string(),
                saw.clone(),
                if range[0] == range[1] {
                    range[0].to_string()
                } else {
                    format!("{}–{}", range[0], range[1])
                },
                ledger.clone(),
            ]);
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut table = String::new();
        for line in &lines {
            for (cell, width) in line.iter().zip(&widths) {
                write!(table, "{cell:<width$}  ").unwrap();
            }
            table.truncate(table.trim_end().len());
            table.push('\n');
        }
        table
    }
}

fn switches(switches: &BTreeSet<Switch>) -> &'static str {
    match (switches.contains(&Switch::Off), switches.contains(&Switch::On)) {
        (true, true) => "any",
        (false, _) => "on",
        (true, false) => "off",
    }
}

fn saw(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Whole(_) => "whole".to_owned(),
        Outcome::Refused { status, .. } => format!("error {status}"),
        Outcome::Broken { text, .. } if text.is_empty() => "error event".to_owned(),
        Outcome::Broken { .. } => "begun, error event".to_owned(),
        Outcome::Gone => "connection breaks".to_owned(),
        Outcome::Neither(what) => format!("WRONG: {what}"),
    }
}

fn ledger(rows: &[Row]) -> String {
    let said = rows.iter().map(|row| match &row.cause {
        Some(cause) => format!("{} {cause}", row.state),
        None => row.state.clone(),
    });
    let said = said.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "no call".to_owned() } else { said }
}
