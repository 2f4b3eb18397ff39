//! The one place that prints: lines, tables, JSON and CSV. Colours only on a terminal, and not where `NO_COLOR` is set
//! (<https://no-color.org>).

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets,
};
use serde::Serialize;

/// Prints a line. A reader who has gone away is no failure.
pub(super) fn line(text: &str) {
    writeln!(io::stdout().lock(), "{text}").unwrap_or_default();
}

/// Prints a line for somebody who reads along, where that is a person; a script's output is not disturbed.
pub(super) fn hint(text: &str) {
    if io::stdout().is_terminal() {
        line(&faint(text));
    }
}

/// Prints a line on standard error.
pub(super) fn complain(text: &str) {
    writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
}

/// Prints a document for machines, on lines of its own for people to read too.
pub(super) fn json<T: Serialize>(document: &T) {
    if let Ok(text) = serde_json::to_string_pretty(document) {
        line(&text);
    }
}

/// Prints a document on one line.
pub(super) fn json_line<T: Serialize>(document: &T) {
    if let Ok(text) = serde_json::to_string(document) {
        line(&text);
    }
}

/// Prints a row of comma-separated values, as RFC 4180 quotes them.
pub(super) fn csv(fields: &[String]) {
    let quote = |field: &String| {
        if field.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.clone()
        }
    };
    let row: Vec<String> = fields.iter().map(quote).collect();
    line(&row.join(","));
}

/// What a text means to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing in particular.
    Plain,
    /// It is well.
    Good,
    /// Somebody should look.
    Warning,
    /// It is not well.
    Bad,
    /// Beside the point.
    Faint,
    /// The sum.
    Strong,
}

/// A text in a table.
#[derive(Clone, Debug)]
pub(super) struct Text {
    text: String,
    tone: Tone,
}

impl Text {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// A column, by its title.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column<'a> {
    /// Text that may be broken where the terminal is narrow.
    Words(&'a str),
    /// A name or an id: never broken, so that it can be copied.
    Name(&'a str),
    /// Figures: to the right, never broken.
    Figures(&'a str),
}

impl Column<'_> {
    const fn title(&self) -> &str {
        match self {
            Self::Words(title) | Self::Name(title) | Self::Figures(title) => title,
        }
    }
}

/// A table in the making.
#[derive(Debug)]
pub(super) struct Sheet {
    table: Table,
    colours: bool,
}

impl Sheet {
    pub(super) fn new(columns: &[Column<'_>]) -> Self {
        let colours = has_colours();
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        let arrangement = if io::stdout().is_terminal() {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        };
        table.set_content_arrangement(arrangement);
        let head = columns.iter().map(|column| {
            let cell = Cell::new(column.title());
            if colours { cell.add_attribute(Attribute::Bold) } else { cell }
        });
        table.set_header(head);
        for (sort, column) in columns.iter().zip(table.column_iter_mut()) {
            column.set_padding((0, 2));
            if matches!(sort, Column::Figures(_)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            if !matches!(sort, Column::Words(_)) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        Self { table, colours }
    }

    pub(super) fn row(&mut self, row: Vec<Text>) {
        let colours = self.colours;
        let cell = |Text { text, tone }: Text| {
            let cell = Cell::new(text);
            match tone {
                _ if !colours => cell,
                Tone::Plain => cell,
                Tone::Good => cell.fg(Color::Green),
                Tone::Warning => cell.fg(Color::Yellow),
                Tone::Bad => cell.fg(Color::Red),
                Tone::Faint => cell.add_attribute(Attribute::Dim),
                Tone::Strong => cell.add_attribute(Attribute::Bold),
            }
        };
        self.table.add_row(row.into_iter().map(cell));
    }

    pub(super) fn print(&self) {
        for row in self.table.lines() {
            line(row.trim_end());
        }
    }
}

fn has_colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn faint(text: &str) -> String {
    if has_colours() { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Dollars with at least cents: `1.50`, `0.0001`; more places where `places` asks for them.
pub(super) fn dollars(amount: &str, places: usize) -> String {
    let there = decimal_places(amount);
    let missing = places.max(2).saturating_sub(there);
    let point = if there == 0 { "." } else { "" };
    format!("{amount}{point}{}", "0".repeat(missing))
}

/// Decimal places of an amount as written.
pub(super) fn decimal_places(amount: &str) -> usize {
    amount.split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

/// Tokens as they are spoken of: `128K`, `1M`.
pub(super) fn tokens(number: Option<u64>) -> String {
    match number {
        None => "–".to_owned(),
        Some(number) if number >= 1_000_000 => scaled(number, 1_000_000, "M"),
        Some(number) if number >= 1_000 => scaled(number, 1_000, "K"),
        Some(number) => number.to_string(),
    }
}

fn scaled(number: u64, unit: u64, name: &str) -> String {
    let tenths = number.saturating_mul(10) / unit;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole}{name}"),
        (whole, _) if whole >= 10 => format!("{whole}{name}"),
        (whole, tenth) => format!("{whole}.{tenth}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(tokens(Some(1_048_576)), "1M");
        assert_eq!(tokens(Some(131_072)), "131K");
        assert_eq!(tokens(Some(1_500)), "1.5K");
    }

    #[test]
    fn amounts_have_cents_and_line_up_at_their_points() {
        assert_eq!(dollars("12", 4), "12.0000");
        assert_eq!(dollars("0.01", 4), "0.0100");
        assert_eq!(dollars("1.5", 0), "1.50");
        assert_eq!(dollars("0.0001", 0), "0.0001");
    }
}
