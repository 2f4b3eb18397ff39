//! The page on what of a request reaches which provider and what of its answer the caller, computed by running the codecs
//! on `fixtures/matrix/` and on the dialects' own fixtures.
//!
//! What it is not: a table of verdicts. A capability that neither arrives nor is named as a loss keeps the page from being
//! written, and so does a refusal without a page that is cited for it. Where to look first: [`markdown`]; then
//! `matrix/cells.rs` (requests), `matrix/answers.rs`, `matrix/evidence.rs` (whose fixtures vouch for what).

mod answers;
mod cells;
mod columns;
mod evidence;
mod fixtures;
mod losses;
mod page;
mod probes;

use trunkline_domain::Dialect;

use self::cells::{Unsettled, Verdict};
use self::columns::Column;
use self::evidence::{Known, Spoken};
use self::fixtures::{Cited, Claims, Examples};
use self::probes::{ANSWERS, REQUESTS};
use super::Problem;

/// The dialects callers speak, by their names on the page.
const CALLERS: &[(Dialect, &str)] = &[
    (Dialect::OpenaiChat, "OpenAI's chat"),
    (Dialect::OpenaiResponses, "OpenAI's Responses"),
    (Dialect::AnthropicMessages, "Anthropic's Messages"),
    (Dialect::GeminiGenerate, "Gemini's generateContent"),
];

/// A capability, a caller's dialect and a provider.
#[derive(Clone, PartialEq, Eq)]
struct Cell {
    verdict: Verdict,
    /// Nothing that the provider showed vouches for it.
    hollow: bool,
    /// Where a list of fields is without it, of what is refused.
    docs: Option<String>,
}

/// A capability in one table.
struct Row {
    /// Its name in `fixtures/matrix/`.
    key: &'static str,
    title: &'static str,
    /// One a column.
    cells: Vec<Cell>,
}

/// A caller's dialect.
struct Table {
    title: &'static str,
    requests: Vec<Row>,
    answers: Vec<Row>,
    /// Capabilities that the dialect has no field for, and where its fields are listed.
    absent: Vec<(&'static str, String)>,
}

pub(super) fn markdown() -> Result<String, Problem> {
    let columns = Column::all()?;
    let mut spoken = Vec::new();
    for column in &columns {
        for dialect in column.dialects() {
            if spoken.iter().all(|known: &Spoken| known.dialect != dialect) {
                let examples = Examples::of(dialect)?;
                spoken.push(Spoken { dialect, examples, cases: fixtures::of_dialect(dialect)? });
            }
        }
    }
    let mut unsettled = Vec::new();
    let mut tables = Vec::new();
    for &(caller, title) in CALLERS {
        tables.push(table((caller, title), &columns, &spoken, &mut unsettled));
    }
    unsettled.extend(unused(&spoken, &tables));
    if unsettled.is_empty() { Ok(page::markdown(&columns, &tables)) } else { Err(Problem::Matrix(unsettled)) }
}

fn table(
    (caller, title): (Dialect, &'static str),
    columns: &[Column],
    spoken: &[Spoken],
    unsettled: &mut Vec<String>,
) -> Table {
    let mut table = Table { title, requests: Vec::new(), answers: Vec::new(), absent: Vec::new() };
    let of = |dialect| spoken.iter().find(|spoken| spoken.dialect == dialect);
    let Some(Spoken { examples, .. }) = of(caller) else { return table };
    for probe in REQUESTS {
        if let Some(cited) = examples.absent.get(probe.key) {
            table.absent.push((probe.title, cited.url.clone()));
            continue;
        }
        let example = examples.request.get(probe.key).map_or("", String::as_str);
        let mut cells = Vec::new();
        for column in columns {
            let lacks = column.api(caller).and_then(|api| of(api.dialect));
            let lacks = lacks.and_then(|spoken| spoken.examples.lacks.get(probe.key));
            let cell = cells::request(probe, (caller, example), column).and_then(|verdict| {
                let refused = matches!(verdict, Verdict::Refused(_));
                let docs = if refused { Some(lacks.ok_or(Unsettled::Uncited)?.url.clone()) } else { None };
                Ok(Cell { verdict, hollow: !column.proven, docs })
            });
            match cell {
                Ok(cell) => cells.push(cell),
                Err(why) => unsettled.push(complaint(title, probe.title, column, &why)),
            }
        }
        table.requests.push(Row { key: probe.key, title: probe.title, cells });
    }
    for probe in ANSWERS {
        if probe.asked_by.is_some_and(|key| examples.absent.contains_key(key)) {
            continue;
        }
        let mut known = Known::default();
        let mut cells = Vec::new();
        for column in columns {
            let Some(spoken) = column.api(caller).and_then(|api| of(api.dialect)) else { continue };
            match evidence::cell(probe, (spoken, column), caller, &mut known) {
                Ok(cell) => cells.push(cell),
                Err(why) => unsettled.push(complaint(title, probe.title, column, &why)),
            }
        }
        table.answers.push(Row { key: probe.key, title: probe.title, cells });
    }
    table
}

fn complaint(caller: &str, capability: &str, column: &Column, why: &Unsettled) -> String {
    format!("{caller}, {capability}, {} ({}): {why}", column.spec.id, column.model.as_str())
}

/// The rows of a table that claims are about.
type Rows = fn(&Table) -> &[Row];

/// Claims of what a dialect lacks that no cell rests on: it has it, or they are misspelled.
fn unused(spoken: &[Spoken], tables: &[Table]) -> Vec<String> {
    let rests = |key: &str, cited: &Cited, rows: Rows| {
        let mut cells = tables.iter().flat_map(rows).filter(|row| row.key == key).flat_map(|row| &row.cells);
        cells.any(|cell| cell.docs.as_ref() == Some(&cited.url))
    };
    let mut complaints = Vec::new();
    for Spoken { dialect, examples, .. } in spoken {
        let lists: [(&str, &Claims, Rows); 2] = [
            ("lacks", &examples.lacks, |table| &table.requests),
            ("silent", &examples.silent, |table| &table.answers),
        ];
        for (list, claims, rows) in lists {
            let idle = claims.iter().filter(|(key, cited)| !rests(key, cited, rows));
            complaints.extend(
                idle.map(|(key, _)| format!("{}, {list}.{key}: no cell rests on it", dialect.as_str())),
            );
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use trunkline_domain::Operation;
    use trunkline_providers::registry::ALL;
    use trunkline_providers::spec::BaseUrl;

    use super::probes::RequestProbe;
    use super::*;

    #[test]
    fn no_cell_is_blank_and_every_chat_provider_is_named() {
        let page = markdown().unwrap();
        assert!(!page.contains("|  |"));
        let chats = ALL.iter().filter(|spec| spec.base_url != BaseUrl::InProcess);
        for spec in chats.filter(|spec| spec.apis.iter().any(|api| api.operation == Operation::Chat)) {
            assert!(page.contains(spec.name), "{}", spec.id);
        }
    }

    #[test]
    fn the_head_counts_every_cell() {
        let page = markdown().unwrap();
        let head: Vec<_> = page.lines().take_while(|line| *line != "## Columns").collect();
        let all = head.iter().find_map(|line| line.strip_suffix(" cells:")).unwrap();
        let counts = head.iter().filter_map(|line| line.split('|').nth(2)?.trim().parse::<usize>().ok());
        assert_eq!(counts.sum::<usize>().to_string(), all);
    }

    #[test]
    fn a_fixture_is_no_proof_of_another_provider_than_its_own() {
        let columns = Column::all().unwrap();
        let dialect = Dialect::OpenaiChat;
        let cases = fixtures::of_dialect(dialect).unwrap();
        let spoken = Spoken { dialect, examples: Examples::of(dialect).unwrap(), cases };
        let cell = |provider: &str| {
            let column = columns.iter().find(|column| column.spec.id == provider);
            let column = column.unwrap_or_else(|| panic!("{provider} is no provider"));
            let thinking = ANSWERS.iter().find(|probe| probe.key == "thinking").unwrap();
            evidence::cell(thinking, (&spoken, column), Dialect::AnthropicMessages, &mut Known::default())
                .unwrap()
        };
        // Its own fixture is documented; others' show only what becomes of it; the inventor's list of fields is without.
        let provider = cases_provider("deepseek_reasoning");
        assert!(!cell(&provider).hollow);
        let other = columns.iter().find(|column| column.cases.is_empty() && column.api(dialect).is_some());
        assert!(cell(other.unwrap().spec.id).hollow);
        assert!(matches!(cell(&spoken.examples.provider).verdict, Verdict::Refused(_)));
    }

    /// Whose a case of OpenAI's chat dialect is.
    fn cases_provider(name: &str) -> String {
        let cases = fixtures::of_dialect(Dialect::OpenaiChat).unwrap();
        cases.into_iter().find(|case| case.name() == name).and_then(|case| case.provider).unwrap()
    }

    #[test]
    fn what_the_same_dialect_carries_is_sent_and_what_another_does_is_checked() {
        let columns = Column::all().unwrap();
        let example = r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
        let text = REQUESTS.iter().find(|probe| probe.key == "text").unwrap();
        let verdict = |model: &str| {
            let column = columns.iter().find(|column| column.model.as_str() == model).unwrap();
            cells::request(text, (Dialect::OpenaiChat, example), column).unwrap()
        };
        assert_eq!(verdict("gpt-5.4"), Verdict::Sent);
        assert_eq!(verdict("claude-opus-4-5"), Verdict::Passed);
    }

    #[test]
    fn what_neither_arrives_nor_is_named_has_no_verdict() {
        let columns = Column::all().unwrap();
        let example = r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
        // The name of the model is another there, and nobody calls it a loss.
        let probe = RequestProbe {
            key: "model",
            title: "",
            said: |chat| Some(chat.model.to_string()),
            spelled: None,
            names: &[],
        };
        let anthropic = columns.iter().find(|column| column.model.as_str() == "claude-opus-4-5").unwrap();
        let settled = cells::request(&probe, (Dialect::OpenaiChat, example), anthropic);
        assert!(matches!(settled, Err(Unsettled::Silent)), "{settled:?}");
        let unsaid = RequestProbe { said: |chat| chat.labels.user.as_deref().map(str::to_owned), ..probe };
        let settled = cells::request(&unsaid, (Dialect::OpenaiChat, example), anthropic);
        assert!(matches!(settled, Err(Unsettled::Example)), "{settled:?}");
    }
}
