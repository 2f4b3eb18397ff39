//! `trunkline explain`: who would be tried for a request, in which order, at what worst-case cost, and who is left out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::http::Method;
use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use trunkline_domain::plan::{Exclusion, ExclusionReason};
use trunkline_domain::receipt::{Receipt, ReceiptCandidate};
use trunkline_routing::world::LiveTable;

use super::control::Control;
use super::failure::Failure;
use super::gateway::{Gateway, escape};
use super::output::Column::{Figures, Name, Words};
use super::output::{self, Sheet, Text, Tone, thousands};
use super::place::Place;
use super::world::World;
use crate::admin::explain::{Circumstances, explain, key_named};

/// What is asked where nothing is said.
const PROMPT: &str = "Hello";
const TOOLS: &str = r#"[{"type":"function","function":{"name":"example","parameters":{"type":"object"}}}]"#;
const SCHEMA: &str = r#"{"type":"json_schema","json_schema":{"name":"example","schema":{"type":"object"}}}"#;

/// A request's fields, each as written.
type Body = BTreeMap<String, Box<RawValue>>;

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The model, a route, or account/upstream-id
    #[arg(long, required_unless_present = "file")]
    model: Option<String>,
    /// The request uses tools
    #[arg(long)]
    tools: bool,
    /// The request wants an answer by a JSON schema
    #[arg(long)]
    json_schema: bool,
    /// The most tokens of the answer
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// What is asked
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    prompt: Option<String>,
    /// A whole request body: a chat, a completion or an embedding
    #[arg(long, value_name = "BODY.json")]
    file: Option<PathBuf>,
    /// As this key would be served, by id or name [default: a key that may do everything]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let body = self.body()?;
        let receipt = match Control::find(&place.data_dir()?).await? {
            Some(control) => self.ask(&Gateway::Running(control), body).await?,
            None => self.look(place, body).await?,
        };
        if self.json {
            output::json(&receipt);
        } else {
            show(&receipt);
        }
        Ok(())
    }

    async fn ask(&self, gateway: &Gateway, body: Bytes) -> Result<Receipt, Failure> {
        let key = self.key.as_deref().map_or_else(String::new, |key| format!("?key={}", escape(key)));
        gateway.send(Method::POST, &format!("/explain{key}"), body).await
    }

    async fn look(&self, place: &Place, body: Bytes) -> Result<Receipt, Failure> {
        let world = World::look(place).await?;
        let key = match (&self.key, &world.store) {
            (None, _) => None,
            (Some(reference), Some(store)) => {
                let found = key_named(store, reference).await;
                Some(found.map_err(|refusal| Failure::new(refusal.message()))?)
            }
            (Some(reference), None) => {
                return Err(Failure::new(format!(
                    "there is no key `{reference}`: no key was ever made here"
                )));
            }
        };
        let circumstances = Circumstances {
            snapshot: &world.snapshot,
            live: &LiveTable::default(),
            now: jiff::Timestamp::now().into(),
            monotonic_ms: 0,
            key: key.as_ref(),
        };
        explain(&circumstances, None, body).map_err(|error| Failure::new(error.message))
    }

    fn body(&self) -> Result<Bytes, Failure> {
        let mut body = match &self.file {
            None => Body::from([("messages".to_owned(), self.messages()?)]),
            Some(path) => {
                let shown = path.display();
                let text = std::fs::read(path)
                    .map_err(|error| Failure::mistake(format!("{shown} cannot be read: {error}")))?;
                if self.is_file_whole() {
                    return Ok(Bytes::from(text));
                }
                serde_json::from_slice(&text)
                    .map_err(|error| Failure::mistake(format!("{shown} is not a JSON object: {error}")))?
            }
        };
        if let Some(model) = &self.model {
            body.insert("model".to_owned(), raw(model)?);
        }
        if let Some(max_tokens) = &self.max_tokens {
            body.insert("max_tokens".to_owned(), raw(max_tokens)?);
        }
        if self.tools {
            body.insert("tools".to_owned(), written(TOOLS)?);
        }
        if self.json_schema {
            body.insert("response_format".to_owned(), written(SCHEMA)?);
        }
        serde_json::to_vec(&body).map(Bytes::from).map_err(unwritten)
    }

    fn messages(&self) -> Result<Box<RawValue>, Failure> {
        raw(&[Message { role: "user", content: self.prompt.as_deref().unwrap_or(PROMPT) }])
    }

    /// Whether the file is the request as it stands: then its bytes are, too.
    fn is_file_whole(&self) -> bool {
        self.model.is_none() && self.max_tokens.is_none() && !self.tools && !self.json_schema
    }
}

fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, Failure> {
    to_raw_value(value).map_err(unwritten)
}

fn written(text: &str) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(text.to_owned()).map_err(unwritten)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` asks for")]
fn unwritten(error: serde_json::Error) -> Failure {
    Failure::new(format!("the request cannot be written: {error}"))
}

fn show(receipt: &Receipt) {
    let size = |tokens: Option<u64>| {
        tokens.map_or_else(
            || "no known limit".to_owned(),
            |tokens| format!("at most {} tokens", thousands(tokens)),
        )
    };
    output::line(&format!("{} for {}", receipt.operation.as_str(), receipt.model_asked));
    output::line(&format!(
        "prompt {}, answer {}",
        size(receipt.prompt_tokens_max),
        size(receipt.output_tokens_max)
    ));
    output::line("");
    if receipt.candidates.is_empty() {
        output::line("nobody is left to try");
    } else {
        candidates(&receipt.candidates);
    }
    if !receipt.excluded.is_empty() {
        output::line("");
        left_out(&receipt.excluded);
    }
    output::line("");
    output::hint(&format!("configuration {}, prices {}", receipt.versions.config, receipt.versions.prices));
}

fn candidates(candidates: &[ReceiptCandidate]) {
    let mut sheet = Sheet::new(&[
        Figures(""),
        Name("WOULD BE TRIED"),
        Name("MODEL"),
        Figures("$/M IN"),
        Figures("$/M OUT"),
        Figures("AT MOST USD"),
        Words("NOTE"),
    ]);
    for (place, candidate) in (1..).zip(candidates) {
        let (input, output) = match &candidate.price_usd_per_million {
            Some((input, output)) => (input.to_string(), output.to_string()),
            None => ("?".to_owned(), "?".to_owned()),
        };
        let bound = candidate.bound_usd.as_deref().unwrap_or("?");
        let caution = candidate.caution.as_ref().map(why).unwrap_or_default();
        sheet.row(vec![
            Text::from(format!("{place}")),
            Text::from(candidate.deployment.to_string()),
            Text::from(candidate.model.to_string()),
            input.into(),
            output.into(),
            Text::from(bound),
            Text::new(caution, Tone::Warning),
        ]);
    }
    sheet.print();
}

fn left_out(excluded: &[Exclusion]) {
    let mut sheet = Sheet::new(&[Name("LEFT OUT"), Words("WHY")]);
    for exclusion in excluded {
        sheet.row(vec![
            Text::from(exclusion.deployment.to_string()),
            Text::new(why(&exclusion.reason), Tone::Warning),
        ]);
    }
    sheet.print();
}

fn why(reason: &ExclusionReason) -> String {
    match reason {
        ExclusionReason::Operation => "does not do this operation".to_owned(),
        ExclusionReason::Scope => "the key may not use it".to_owned(),
        ExclusionReason::ContextWindow { window, needed } => {
            format!("its window of {} tokens is below the {} needed", thousands(*window), thousands(*needed))
        }
        ExclusionReason::Capability { missing } => format!("cannot do {missing}"),
        ExclusionReason::Unpriced => "its price is not known".to_owned(),
        ExclusionReason::Unbounded { field } => format!("{field} has no limit, so its bill has none"),
        ExclusionReason::Budget { bound } => format!("could cost ${bound}, more than is left"),
        ExclusionReason::KeptElsewhere => "another account keeps the answer it goes on from".to_owned(),
        ExclusionReason::CoolingDown => "is cooling down after failures".to_owned(),
        ExclusionReason::BeyondAttempts => "there are more than may be tried".to_owned(),
    }
}
