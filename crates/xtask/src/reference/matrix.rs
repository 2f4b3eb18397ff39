//! The page on what of a request reaches which provider and what of its answer the caller, computed by running the codecs
//! on `fixtures/matrix/` and on the dialects' own fixtures.
//!
//! What it is not: a table of verdicts. A capability that neither arrives nor is named as a loss keeps the page from being
//! written. Where to look first: [`markdown`]; then `matrix/cells.rs`.

mod cells;
mod columns;
mod fixtures;
mod page;
mod probes;

use trunkline_domain::Dialect;
use trunkline_providers::spec::Api;
use trunkline_wire::quirks::Quirks;

use self::cells::{Answer, Unsettled, Verdict};
use self::columns::Column;
use self::fixtures::Examples;
use self::probes::{ANSWERS, AnswerProbe, REQUESTS};
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
    /// Nothing but constructed fixtures vouches for it.
    hollow: bool,
    /// Where the provider lists what it has, where that is less.
    docs: Option<String>,
}

/// A capability in one table.
struct Row {
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
    let mut unsettled = Vec::new();
    let mut tables = Vec::new();
    for &(caller, title) in CALLERS {
        tables.push(table(caller, title, &columns, &mut unsettled)?);
    }
    if unsettled.is_empty() { Ok(page::markdown(&columns, &tables)) } else { Err(Problem::Matrix(unsettled)) }
}

fn table(
    caller: Dialect,
    title: &'static str,
    columns: &[Column],
    unsettled: &mut Vec<String>,
) -> Result<Table, Problem> {
    let examples = Examples::of(caller)?;
    let mut table = Table { title, requests: Vec::new(), answers: Vec::new(), absent: Vec::new() };
    for probe in REQUESTS {
        if let Some(docs) = examples.absent.get(probe.key) {
            table.absent.push((probe.title, docs.clone()));
            continue;
        }
        let example = examples.request.get(probe.key).map_or("", String::as_str);
        let mut cells = Vec::new();
        for column in columns {
            match cells::request(probe, (caller, example), column) {
                Ok(verdict) => cells.push(Cell { verdict, hollow: !column.proven, docs: docs(column) }),
                Err(why) => unsettled.push(complaint(title, probe.title, column, &why)),
            }
        }
        table.requests.push(Row { title: probe.title, cells });
    }
    for probe in ANSWERS {
        if probe.asked_by.is_some_and(|key| examples.absent.contains_key(key)) {
            continue;
        }
        // Providers that speak alike answer alike.
        let mut known: Vec<(Dialect, Quirks, Shown)> = Vec::new();
        let mut cells = Vec::new();
        for column in columns {
            let Some(Api { dialect, .. }) = column.api(caller) else { continue };
            let (from, quirks) = (*dialect, column.spec.quirks);
            let same = known.iter().find(|(dialect, other, _)| (*dialect, *other) == (from, quirks));
            let shown = match same.map(|(_, _, shown)| shown.clone()) {
                Some(shown) => shown,
                None => match answer(probe, (from, caller), &quirks)? {
                    Ok(shown) => {
                        known.push((from, quirks, shown.clone()));
                        shown
                    }
                    Err(why) => {
                        unsettled.push(complaint(title, probe.title, column, &why));
                        continue;
                    }
                },
            };
            cells.push(shown.cell(column));
        }
        table.answers.push(Row { title: probe.title, cells });
    }
    Ok(table)
}

fn docs(column: &Column) -> Option<String> {
    Some(column.spec.docs.to_owned()).filter(|docs| !docs.is_empty())
}

fn complaint(caller: &str, capability: &str, column: &Column, why: &Unsettled) -> String {
    format!("{caller}, {capability}, {} ({}): {why}", column.spec.id, column.model.as_str())
}

/// What becomes of an answer's capability wherever a dialect is spoken in one way.
#[derive(Clone)]
enum Shown {
    /// An answer has it; whether nobody else showed that answer.
    Answered { verdict: Verdict, constructed: bool },
    /// No answer has it; where the fields of answers are listed.
    Silent(String),
}

impl Shown {
    fn cell(self, column: &Column) -> Cell {
        match self {
            Self::Answered { verdict, constructed } => {
                Cell { verdict, hollow: constructed || !column.proven, docs: docs(column) }
            }
            Self::Silent(listed) => {
                let why = "the provider's answers have no field for it".to_owned();
                Cell { verdict: Verdict::Refused(why), hollow: false, docs: Some(listed) }
            }
        }
    }
}

/// What becomes of an answer's capability: shown by the fixture of the provider's dialect that vouches for most.
fn answer(
    probe: &AnswerProbe,
    (from, to): (Dialect, Dialect),
    quirks: &Quirks,
) -> Result<Result<Shown, Unsettled>, Problem> {
    let examples = Examples::of(from)?;
    let mut answers = Vec::new();
    for case in fixtures::cases(from.as_str().as_ref())? {
        answers.push((case.constructed, Answer::of(probe.said, &case, from, quirks)));
    }
    if let Some(body) = examples.answer.get(probe.key) {
        answers.push((true, Answer::whole(body.as_bytes(), from, quirks)));
    }
    let mut shown = Vec::new();
    for (constructed, given) in answers {
        let verdict = given.and_then(|given| match given {
            Some(given) => cells::answer(probe, &given, (from, to)),
            None => Ok(None),
        });
        match verdict {
            Ok(verdict) => shown.extend(verdict.map(|verdict| (constructed, verdict))),
            Err(why) => return Ok(Err(why)),
        }
    }
    let best = shown.into_iter().min_by_key(|(constructed, verdict)| (*constructed, verdict.losses()));
    Ok(match (best, examples.silent.get(probe.key)) {
        (Some((constructed, verdict)), None) => Ok(Shown::Answered { verdict, constructed }),
        (None, Some(listed)) => Ok(Shown::Silent(listed.clone())),
        (Some(_), Some(_)) | (None, None) => Err(Unsettled::Example),
    })
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
    fn what_neither_arrives_nor_is_named_has_no_verdict() {
        let columns = Column::all().unwrap();
        let example = r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
        // The name of the model is another there, and nobody calls it a loss.
        let probe = RequestProbe {
            key: "model",
            title: "",
            said: |chat| Some(chat.model.to_string()),
            spelled: None,
        };
        let anthropic = columns.iter().find(|column| column.model.as_str() == "claude-opus-4-5").unwrap();
        let settled = cells::request(&probe, (Dialect::OpenaiChat, example), anthropic);
        assert!(matches!(settled, Err(Unsettled::Silent)), "{settled:?}");
        let unsaid = RequestProbe { said: |chat| chat.labels.user.as_deref().map(str::to_owned), ..probe };
        let settled = cells::request(&unsaid, (Dialect::OpenaiChat, example), anthropic);
        assert!(matches!(settled, Err(Unsettled::Example)), "{settled:?}");
    }
}
