//! `trunkline usage`: what was consumed and what it cost.

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::gateway::{Gateway, Need, query};
use super::output::{self, Column, Sheet, Text, Tone, decimal_places, dollars, thousands};
use super::place::Place;
use crate::admin::usage::{UsageLine, UsageReport};

#[derive(Debug, Args)]
pub(super) struct Usage {
    /// How to group; several are separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "model")]
    by: Vec<Group>,
    /// From when on: 2027-01-31, an instant, or a span before now such as 7d; days are UTC and counted whole
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// Until when, the day named included
    #[arg(long, value_name = "WHEN")]
    to: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values
    #[arg(long)]
    csv: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    Model,
    Provider,
    Account,
    Key,
    Day,
}

impl Usage {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let gateway = Gateway::open(place, Need::Data).await?;
        let groups: Vec<&str> = self.by.iter().map(|group| group.as_str()).collect();
        let parameters = query(&[
            ("group_by", Some(groups.join(","))),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
        ]);
        let report: Result<UsageReport, Failure> = gateway.get(&format!("/usage{parameters}")).await;
        gateway.close().await;
        let report = report?;
        if self.json {
            output::json(&report);
        } else if self.csv {
            self.print_csv(&report);
        } else if report.rows.is_empty() {
            output::line("no usage in this time");
        } else {
            self.print_table(&report);
        }
        Ok(())
    }

    fn print_table(&self, report: &UsageReport) {
        let groups: Vec<String> = self.by.iter().map(|group| group.as_str().to_uppercase()).collect();
        // Seldom, and then of interest.
        let interrupted = (report.total.interrupted > 0).then_some("INTERRUPTED");
        let counts = ["REQUESTS", "ATTEMPTS", "FAILED"].into_iter().chain(interrupted);
        let figures = counts.chain(["INPUT", "CACHED", "OUTPUT", "COST USD"]);
        let mut columns: Vec<Column<'_>> = groups.iter().map(|title| Column::Name(title)).collect();
        columns.extend(figures.map(Column::Figures));
        let mut sheet = Sheet::new(&columns);
        let places = report.rows.iter().map(|row| decimal_places(&row.cost_usd)).max().unwrap_or(0);
        for row in &report.rows {
            let mut cells: Vec<Text> = self.by.iter().map(|group| group.of(row).into()).collect();
            cells.extend(numbers(row, Tone::Plain, places, interrupted.is_some()));
            sheet.row(cells);
        }
        if report.rows.len() > 1 {
            let mut cells: Vec<Text> = self.by.iter().map(|_| Text::from("")).collect();
            if let Some(first) = cells.first_mut() {
                *first = Text::new("total", Tone::Strong);
            }
            cells.extend(numbers(&report.total, Tone::Strong, places, interrupted.is_some()));
            sheet.row(cells);
        }
        sheet.print();
    }

    fn print_csv(&self, report: &UsageReport) {
        let mut titles: Vec<String> = self.by.iter().map(|group| group.as_str().to_owned()).collect();
        let figures = [
            "requests",
            "attempts",
            "failed",
            "interrupted",
            "input_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cost_usd",
        ];
        titles.extend(figures.map(str::to_owned));
        output::csv(&titles);
        for row in &report.rows {
            let mut fields: Vec<String> = self.by.iter().map(|group| group.id_of(row)).collect();
            let figures = [
                row.requests,
                row.attempts,
                row.failed,
                row.interrupted,
                row.input_tokens,
                row.cache_read_tokens,
                row.cache_write_tokens,
                row.output_tokens,
                row.reasoning_tokens,
            ];
            fields.extend(figures.map(|figure| figure.to_string()));
            fields.push(row.cost_usd.clone());
            output::csv(&fields);
        }
    }
}

/// The figures of a row. Where every attempt was interrupted nothing is known of what they used, nor whether they failed.
fn numbers(row: &UsageLine, tone: Tone, places: usize, interrupted: bool) -> Vec<Text> {
    let known = row.interrupted < row.attempts || row.attempts == 0;
    let figure = |number| Text::new(thousands(number), tone);
    let known_figure = |number, tone| Text::new(if known { thousands(number) } else { "–".to_owned() }, tone);
    let bad_if_any = |number| if number > 0 { Tone::Bad } else { tone };
    let mut cells =
        vec![figure(row.requests), figure(row.attempts), known_figure(row.failed, bad_if_any(row.failed))];
    if interrupted {
        cells.push(Text::new(thousands(row.interrupted), bad_if_any(row.interrupted)));
    }
    cells.extend([
        known_figure(row.input_tokens.saturating_add(row.cache_write_tokens), tone),
        known_figure(row.cache_read_tokens, tone),
        known_figure(row.output_tokens.saturating_add(row.reasoning_tokens), tone),
        Text::new(dollars(&row.cost_usd, places), tone),
    ]);
    cells
}

impl Group {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Account => "account",
            Self::Key => "key",
            Self::Day => "day",
        }
    }

    /// The group's value for a person.
    fn of(self, row: &UsageLine) -> String {
        match (self, &row.key_name) {
            (Self::Key, Some(name)) => name.to_string(),
            _ => self.id_of(row),
        }
    }

    /// The group's value for a machine.
    fn id_of(self, row: &UsageLine) -> String {
        let value = match self {
            Self::Model => &row.model,
            Self::Provider => &row.provider,
            Self::Account => &row.account,
            Self::Key => &row.key,
            Self::Day => &row.day,
        };
        value.as_deref().unwrap_or_default().to_owned()
    }
}
