//! The table: what callers saw, after how long, and what the ledger says; cases with the same outcome in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::cases::{Case, Form, Providers, Switch};
use super::modes::Mode;
use super::seen::Outcome;
use crate::kill::rows::Row;

/// What tells lines apart.
type Key = (Mode, Form, Providers, String, String);

/// The lines so far.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<Key, Line>);

#[derive(Debug, Default)]
struct Line {
    cases: usize,
    hedge: BTreeSet<Switch>,
    resume: BTreeSet<Switch>,
    /// Milliseconds.
    took: BTreeSet<u128>,
}

impl Table {
    pub(crate) fn add(&mut self, case: &Case, outcome: &Outcome, took: u128, rows: &[Row]) {
        let key = (case.mode, case.form, case.providers, saw(outcome), ledger(rows));
        let line = self.0.entry(key).or_default();
        line.cases += 1;
        line.hedge.insert(case.hedge);
        line.resume.insert(case.resume);
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
        for ((mode, form, providers, saw, ledger), line) in &self.0 {
            let range = [line.took.first(), line.took.last()].map(|took| took.copied().unwrap_or_default());
            lines.push([
                mode.to_string(),
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
        Outcome::Neither(what) => format!("WRONG: {what}"),
    }
}

fn ledger(rows: &[Row]) -> String {
    let said = rows.iter().map(|row| match &row.cause {
        Some(cause) => format!("{} {cause}", row.state),
        None => row.state.clone(),
    });
    said.collect::<Vec<_>>().join(", ")
}
