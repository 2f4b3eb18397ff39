//! The page itself: providers for which every cell is the same share a column, and losses stand in notes below a table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::cells::Verdict;
use super::columns::Column;
use super::{Cell, Row, Table};

const HEAD: &str = "# What reaches whom\n\n\
    What of a caller's request reaches which provider, and what of the answer the caller. Every cell is computed: a small \
    request ([fixtures/matrix](../../fixtures/matrix)) is put through the gateway's own code for that provider and what \
    would be sent is read again; an answer, one of the fixtures of the provider's dialect, is put in the caller's words \
    and read again. A capability that neither arrives nor is named as a loss keeps this page from being written.\n\n\
    Whether a model does what it is asked is another question: see its provider. Between the same dialects fields pass as \
    they are, so there only what is known to be refused is not passed on.\n\n";

/// The most pages cited in one note: beyond it, the list of providers is.
const CITED_MAX: usize = 8;

/// The most providers a column is called by the first of.
const NAMED_MAX: usize = 12;

/// Providers with the same cells.
struct Group<'a> {
    heading: String,
    columns: Vec<(usize, &'a Column)>,
}

pub(super) fn markdown(columns: &[Column], tables: &[Table]) -> String {
    let groups = groups(columns, tables);
    let mut page = HEAD.to_owned();
    legend(&mut page, tables);
    listing(&mut page, columns, &groups);
    for table in tables {
        _ = write!(page, "\n## {}\n", table.title);
        if !table.absent.is_empty() {
            page.push_str("\nThe dialect has no field for: ");
            let absent = table.absent.iter().map(|(title, docs)| format!("[{}]({docs})", lower(title)));
            _ = writeln!(page, "{}.", absent.collect::<Vec<_>>().join(", "));
        }
        section(&mut page, "Requests", &table.requests, &groups);
        section(&mut page, "Answers", &table.answers, &groups);
    }
    page
}

fn lower(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    if title.starts_with("PDF") || title.starts_with("JSON") {
        title.to_owned()
    } else {
        first + letters.as_str()
    }
}

const fn mark(cell: &Cell) -> &'static str {
    match (&cell.verdict, cell.hollow) {
        (Verdict::Passed, false) => "●",
        (Verdict::Passed, true) => "○",
        (Verdict::Adapted(_), false) => "◐",
        (Verdict::Adapted(_), true) => "◌",
        (Verdict::Refused(_), _) => "✕",
    }
}

/// The marks, what they mean and how many there are: one a caller's dialect, a provider and a capability.
fn legend(page: &mut String, tables: &[Table]) {
    let rows = || tables.iter().flat_map(|table| table.requests.iter().chain(&table.answers));
    let cells: Vec<_> = rows().flat_map(|row| &row.cells).collect();
    _ = writeln!(page, "{} cells:\n\n| Mark | Cells | |\n|---|---|---|", cells.len());
    for (wanted, meaning) in [
        ("●", "passed: it arrives as it was said"),
        (
            "○",
            "passed, as far as constructed fixtures and types of an SDK can show: no answer of the provider was at hand",
        ),
        (
            "◐",
            "adapted: changed to the nearest thing there is, or left out where that is tolerated; the note names the loss; of a request the header `x-trunkline-losses` and the receipt do, too",
        ),
        ("◌", "adapted, as far as constructed fixtures can show"),
        (
            "✕",
            "refused: the provider has nothing of the kind, and is not asked (or its answers never say it); the note cites where its fields are listed",
        ),
    ] {
        let count = cells.iter().filter(|cell| mark(cell) == wanted).count();
        _ = writeln!(page, "| {wanted} | {count} | {meaning} |");
    }
}

fn listing(page: &mut String, columns: &[Column], groups: &[Group<'_>]) {
    page.push_str("\n## Columns\n\n| Column | Providers |\n|---|---|\n");
    for group in groups {
        let names = group.columns.iter().map(|(_, column)| name(column, columns));
        _ = writeln!(page, "| {} | {} |", group.heading, names.collect::<Vec<_>>().join(", "));
    }
}

/// A provider's name, with the model where it serves others differently.
fn name(column: &Column, columns: &[Column]) -> String {
    let several = columns.iter().filter(|other| other.spec.id == column.spec.id).count() > 1;
    let model = if several { format!(" (`{}`)", column.model.as_str()) } else { String::new() };
    format!("{}{model}", column.spec.name)
}

fn groups<'a>(columns: &'a [Column], tables: &[Table]) -> Vec<Group<'a>> {
    let looks = |at: usize| {
        let rows = tables.iter().flat_map(|table| table.requests.iter().chain(&table.answers));
        let cell = |row: &Row| row.cells.get(at).map(|cell| (cell.verdict.clone(), cell.hollow));
        rows.map(cell).collect::<Vec<_>>()
    };
    let mut found: Vec<(Vec<_>, Group<'a>)> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let look = looks(at);
        if let Some((_, group)) = found.iter_mut().find(|(known, _)| *known == look) {
            group.columns.push((at, column));
            continue;
        }
        found.push((look, Group { heading: name(column, columns), columns: vec![(at, column)] }));
    }
    let mut groups: Vec<_> = found.into_iter().map(|(_, group)| group).collect();
    for group in &mut groups {
        let all = group.columns.len();
        if all > NAMED_MAX {
            group.heading = format!("The other {all}");
        } else if all > 1 {
            _ = write!(group.heading, " and {} more", all.saturating_sub(1));
        }
    }
    groups.sort_by_key(|group| group.columns.len() > NAMED_MAX);
    groups
}

/// What is said below a table, and whom it is cited of.
struct Note {
    text: String,
    docs: Option<BTreeSet<String>>,
}

fn section(page: &mut String, title: &str, rows: &[Row], groups: &[Group<'_>]) {
    let mut notes: Vec<Note> = Vec::new();
    let headings: Vec<_> = groups.iter().map(|group| group.heading.as_str()).collect();
    let rules = "---|".repeat(groups.len());
    _ = write!(page, "\n### {title}\n\n| | {} |\n|---|{rules}\n", headings.join(" | "));
    for row in rows {
        _ = write!(page, "| {} |", row.title);
        for group in groups {
            let cells: Vec<_> = group.columns.iter().filter_map(|(at, _)| row.cells.get(*at)).collect();
            let said = cells.first().map_or(String::new(), |cell| {
                let numbers: Vec<_> = noted(&mut notes, cell, &cells).iter().map(usize::to_string).collect();
                format!("{} {}", mark(cell), numbers.join(", "))
            });
            _ = write!(page, " {} |", said.trim_end());
        }
        page.push('\n');
    }
    if !notes.is_empty() {
        page.push('\n');
    }
    for (number, note) in notes.iter().enumerate() {
        _ = writeln!(page, "{}. {}{}", number.saturating_add(1), note.text, cited(note.docs.as_ref()));
    }
}

/// The numbers of a cell's notes.
fn noted(notes: &mut Vec<Note>, cell: &Cell, same: &[&Cell]) -> Vec<usize> {
    let (texts, docs): (&[String], Option<BTreeSet<String>>) = match &cell.verdict {
        Verdict::Passed => return Vec::new(),
        Verdict::Adapted(texts) => (texts, None),
        Verdict::Refused(text) => {
            (std::slice::from_ref(text), Some(same.iter().filter_map(|cell| cell.docs.clone()).collect()))
        }
    };
    let mut numbers = Vec::new();
    for text in texts {
        let known = notes.iter().position(|note| note.text == *text && note.docs.is_some() == docs.is_some());
        let at = known.unwrap_or_else(|| {
            notes.push(Note { text: text.clone(), docs: docs.as_ref().map(|_| BTreeSet::new()) });
            notes.len().saturating_sub(1)
        });
        if let Some(note) = notes.get_mut(at)
            && let (Some(all), Some(docs)) = (&mut note.docs, &docs)
        {
            all.extend(docs.iter().cloned());
        }
        numbers.push(at.saturating_add(1));
    }
    numbers
}

fn cited(docs: Option<&BTreeSet<String>>) -> String {
    match docs {
        None => String::new(),
        Some(docs) if docs.len() > CITED_MAX => ": [the documentation of each](providers.md)".to_owned(),
        Some(docs) => {
            let links: Vec<_> = docs.iter().map(|docs| format!("<{docs}>")).collect();
            format!(": {}", links.join(", "))
        }
    }
}
