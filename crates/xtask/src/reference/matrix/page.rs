//! The page itself: providers for which every cell is the same share a column, and losses stand in notes below a table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::cells::Verdict;
use super::columns::Column;
use super::{Cell, Row, Table};

const HEAD: &str = "# What reaches whom\n\n\
    What of a caller's request reaches which provider, and what of the answer the caller. Every cell is computed: a small \
    request ([fixtures/matrix](../../fixtures/matrix)) is put through the gateway's own code for that provider and what \
    would be sent is read again; an answer, one of the provider's fixtures where there is one that has it, is put in the \
    caller's words and read again. A capability that neither arrives nor is named as a loss of its own keeps this page \
    from being written.\n\n\
    No provider is asked for this page. Where caller and provider speak the same dialect, OpenAI's with most, nothing is \
    translated: the request is sent as it came, without what is known to be refused, and the answer comes back as it is. \
    Such a cell says that nothing is in the way, not that the provider takes it or the model does it: see the provider. \
    Where dialects differ, what is written for the provider was read again and said the same; that is checked here, what \
    the provider does with it is not.\n\n";

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
        (Verdict::Sent, false) => "▶",
        (Verdict::Sent, true) => "▷",
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
        (
            "▶",
            "passed, sent as it came: caller and provider speak the same dialect; what the provider makes of it is not proven",
        ),
        (
            "▷",
            "the same, but no answer of the provider's own is at hand (of requests: none at all; of answers: none that has it): only constructed fixtures and other providers' answers",
        ),
        ("●", "passed, translated: it arrives as it was said"),
        (
            "○",
            "the same, but no answer of the provider's own is at hand (of requests: none at all; of answers: none that has it): only constructed fixtures and other providers' answers",
        ),
        (
            "◐",
            "adapted: changed to the nearest thing there is, or left out where that is tolerated; the note names the loss; of a request the header `x-trunkline-losses` and the receipt do, too",
        ),
        ("◌", "adapted, as far as constructed fixtures and other providers' answers show it"),
        (
            "✕",
            "refused: the provider's dialect has nothing of the kind, and it is not asked (or its answers never say it); the note cites where its fields are listed",
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

/// What is said below a table, and where that is to be read.
#[derive(PartialEq)]
struct Note {
    text: String,
    docs: BTreeSet<String>,
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
        _ = writeln!(page, "{}. {}{}", number.saturating_add(1), note.text, cited(&note.docs));
    }
}

/// The numbers of a cell's notes.
fn noted(notes: &mut Vec<Note>, cell: &Cell, same: &[&Cell]) -> Vec<usize> {
    let texts: &[String] = match &cell.verdict {
        Verdict::Sent | Verdict::Passed => return Vec::new(),
        Verdict::Adapted(texts) => texts,
        Verdict::Refused(text) => std::slice::from_ref(text),
    };
    let docs: BTreeSet<String> = same.iter().filter_map(|cell| cell.docs.clone()).collect();
    let mut numbers = Vec::new();
    for text in texts {
        let note = Note { text: text.clone(), docs: docs.clone() };
        let known = notes.iter().position(|known| *known == note);
        let at = known.unwrap_or_else(|| {
            notes.push(note);
            notes.len().saturating_sub(1)
        });
        numbers.push(at.saturating_add(1));
    }
    numbers
}

fn cited(docs: &BTreeSet<String>) -> String {
    let links: Vec<_> = docs.iter().map(|docs| format!("<{docs}>")).collect();
    if links.is_empty() { String::new() } else { format!(": {}", links.join(", ")) }
}
