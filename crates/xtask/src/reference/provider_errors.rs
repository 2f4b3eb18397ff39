//! The page on what providers say when they refuse or fail, made from `fixtures/errors/`.
//!
//! What it is not: the proof that each row means what it says, which is a test of `trunkline-providers`. Where to look
//! first: [`markdown`].

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use trunkline_domain::attempt::{Cause, CauseClass};
use trunkline_providers::registry::ALL;

use super::Problem;

/// Where the rows are, from the repository's root.
const FOLDER: &str = "fixtures/errors";

/// A provider's file, as far as the page shows it.
#[derive(Deserialize)]
struct Rows {
    error: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    about: String,
    status: u16,
    cause: Cause,
    retry_after_ms: Option<u64>,
    by: Option<String>,
    kind: String,
    source: String,
}

const HEAD: &str = "# What providers' errors mean\n\n\
    Providers use the same status for different things: a 429 is a limit that passes or an account without money, a 400 \
    is a prompt that is too long or a wrong key. So an error is known by its words before its status. These are the \
    errors that are known, each with where it was read; the bodies themselves are in \
    [fixtures/errors](../../fixtures/errors).\n\n\
    An error whose words are not known is taken by its status alone and counted in the metric \
    `trunkline_unknown_errors_total{provider, status}`, where `status` 200 is an error inside a success; the first of a \
    provider with a status is logged, without its body.\n\n\
    *Source* is `documented`, where the body stands on the provider's page; `documented-shape`, where the page gives \
    status and message or code; `sdk-source`, from an SDK or the server itself; `thread`, where somebody quoted the body; \
    `thread-shape`, where somebody quoted the message.\n\n\
    ## What follows from a cause\n\n\
    | Cause | Whose it is | What happens |\n|---|---|---|\n";

/// What a breaker makes of a failure that is not the caller's.
const TRIED: &str = "Others are tried; the breaker counts it.";
const RESTS: &str = "The credential rests for a minute; others are tried.";

/// The causes a provider can say, and what follows.
const SAID: &[(Cause, &str)] = &[
    (Cause::InvalidRequest, "The provider's answer is passed on. No breaker counts it."),
    (
        Cause::ContextTooLong,
        "No other deployment of the model is asked; `fallbacks.context_length` is, where it is configured. No breaker \
         counts it.",
    ),
    (
        Cause::ContentBlocked,
        "No other deployment of the model is asked; `fallbacks.content_policy` is, where it is configured. No breaker \
         counts it.",
    ),
    (Cause::Unauthorized, RESTS),
    (Cause::Forbidden, RESTS),
    (Cause::CreditsExhausted, RESTS),
    (
        Cause::RateLimited,
        "The credential rests as long as the provider asks, five seconds if it does not; others are tried meanwhile.",
    ),
    (
        Cause::Overloaded,
        "Others are tried; the breaker counts it, and the credential rests where the provider names a wait.",
    ),
    (Cause::ModelNotFound, TRIED),
    (
        Cause::RequestOverLimit,
        "Others are tried; no breaker counts it, no credential rests and nothing is waited for: smaller requests pass.",
    ),
    (Cause::ServerError, TRIED),
];

pub(super) fn markdown() -> Result<String, Problem> {
    let mut page = HEAD.to_owned();
    for (cause, follows) in SAID {
        // Writing to a `String` cannot fail.
        _ = writeln!(page, "| `{}` | {} | {follows} |", cause.as_str(), whose(*cause));
    }
    for spec in ALL {
        let Some(rows) = rows(spec.id)? else { continue };
        _ = write!(
            page,
            "\n## {}\n\n| Status | What happened | Cause | Source |\n|---|---|---|---|\n",
            spec.name
        );
        for row in rows {
            let alone = row.by.map(|_| ", by its status").unwrap_or_default();
            let wait = row.retry_after_ms.map(|ms| format!(", wait {ms} ms")).unwrap_or_default();
            _ = writeln!(
                page,
                "| {} | {} | `{}`{alone}{wait} | {}: {} |",
                row.status,
                row.about,
                row.cause.as_str(),
                row.kind,
                link(&row.source),
            );
        }
    }
    Ok(page)
}

/// A provider's rows; `None` where it has no file.
fn rows(id: &str) -> Result<Option<Vec<Row>>, Problem> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FOLDER).join(id).with_extension("toml");
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(|error| Problem::File { path: path.clone(), error })?;
    let rows: Rows = toml::from_str(&text).map_err(|error| Problem::Rows { path, error: Box::new(error) })?;
    Ok(Some(rows.error))
}

/// An address as a link, a file of a repository as it is.
fn link(source: &str) -> String {
    if source.starts_with("https://") { format!("<{source}>") } else { source.to_owned() }
}

const fn whose(cause: Cause) -> &'static str {
    match cause.class() {
        CauseClass::Caller => "the request's",
        CauseClass::Credential => "the credential's",
        CauseClass::Capacity => "nobody's, for a while",
        CauseClass::Target => "the deployment's",
        CauseClass::Provider => "the provider's",
        CauseClass::Network => "the way's",
        CauseClass::Answer => "the model's",
        CauseClass::Policy => "ours",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_of_a_provider_and_on_the_page() {
        let page = markdown().unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FOLDER);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let ids: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert!(!ids.is_empty());
        for id in ids {
            let spec = ALL.iter().find(|spec| spec.id == id).unwrap_or_else(|| panic!("{id} is no provider"));
            assert!(page.contains(&format!("\n## {}\n", spec.name)), "{id}");
        }
    }
}
