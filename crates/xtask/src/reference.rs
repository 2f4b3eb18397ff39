//! `xtask reference …`: the pages under `docs/reference` that are made from the code's own tables, so that they
//! cannot say anything else than the code.
//!
//! What it is not: the pages on the command line and the HTTP API, which are written by hand. Where to look first:
//! [`PAGES`].

mod matrix;
mod provider_errors;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use trunkline_domain::Operation;
use trunkline_domain::error::{ErrorKind, Facts, Fault};
use trunkline_engine::config::reference;
use trunkline_providers::registry::ALL;
use trunkline_providers::spec::{AuthScheme, BaseUrl, CancelBilling, Proof, ProviderSpec};
use trunkline_wire::quirks::{DoneMarker, StreamUsage};

#[derive(Subcommand)]
pub(crate) enum Chore {
    /// Writes the pages
    Write {
        /// The folder of the pages
        #[arg(long, default_value = "docs/reference")]
        out: PathBuf,
    },
    /// Says whether the pages are those of the present code
    Check {
        /// The folder of the pages
        #[arg(long, default_value = "docs/reference")]
        out: PathBuf,
    },
}

/// Why the pages could not be written, or are not right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{}: {error}", .path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{}: {error}", .path.display())]
    Rows { path: PathBuf, error: Box<toml::de::Error> },
    #[error("the matrix has cells without a verdict:\n{}", .0.join("\n"))]
    Matrix(Vec<String>),
    #[error("{} is not what the code says: run `cargo run -p trunkline-xtask -- reference write`", .0.display())]
    Stale(PathBuf),
}

/// A generated page.
struct Page {
    file: &'static str,
    text: fn() -> Result<String, Problem>,
}

/// All of them.
const PAGES: &[Page] = &[
    Page { file: "configuration.md", text: || Ok(reference::markdown()) },
    Page { file: "errors.md", text: || Ok(errors()) },
    Page { file: "matrix.md", text: matrix::markdown },
    Page { file: "provider-errors.md", text: provider_errors::markdown },
    Page { file: "providers.md", text: || Ok(providers()) },
];

pub(crate) fn run(chore: Chore) -> Result<String, Problem> {
    match chore {
        Chore::Write { out } => write(&out),
        Chore::Check { out } => check(&out),
    }
}

fn write(folder: &Path) -> Result<String, Problem> {
    for Page { file, text } in PAGES {
        let path = folder.join(file);
        std::fs::write(&path, text()?).map_err(|error| Problem::File { path, error })?;
    }
    Ok(format!("wrote {} pages to {}", PAGES.len(), folder.display()))
}

fn check(folder: &Path) -> Result<String, Problem> {
    for Page { file, text } in PAGES {
        let path = folder.join(file);
        match std::fs::read_to_string(&path) {
            Ok(present) if present == text()? => {}
            Ok(_) => return Err(Problem::Stale(path)),
            Err(error) => return Err(Problem::File { path, error }),
        }
    }
    Ok(format!("{} pages are those of the present code", PAGES.len()))
}

const ERRORS_HEAD: &str = "# Errors\n\n\
    Every error has a row here. A body is `{\"error\": {\"message\", \"type\", \"param\", \"code\"}}`, as OpenAI's \
    clients read it; once a stream has begun, the same object is its last event before `data: [DONE]`. The message says \
    what to do; `code` is stable and is what programs should look at. Where a provider refused a request as the caller's \
    own fault, its status, message and code are passed on instead.\n\n\
    *Retry* says whether the same request may succeed later without a change. Where it cannot, the header \
    `x-should-retry: false` tells OpenAI's clients so; where a wait is known, `retry-after` names it.\n\n\
    | Status | `code` | `type` | At fault | Retry | When |\n|---|---|---|---|---|---|\n";

fn errors() -> String {
    let mut kinds = ErrorKind::ALL.to_vec();
    kinds.sort_by_key(|kind| kind.facts().status);
    let mut page = ERRORS_HEAD.to_owned();
    for kind in kinds {
        let Facts { status, code, openai_type, fault, retryable, .. } = kind.facts();
        let (fault, retry) = (at_fault(fault), if retryable { "yes" } else { "no" });
        let when = when(kind);
        // Writing to a `String` cannot fail.
        _ = writeln!(page, "| {status} | `{code}` | `{openai_type}` | {fault} | {retry} | {when} |");
    }
    page
}

const fn at_fault(fault: Fault) -> &'static str {
    match fault {
        Fault::Caller => "the request",
        Fault::Policy => "a rule",
        Fault::Upstream => "a provider",
        Fault::Gateway => "the gateway",
    }
}

const fn when(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest => "The body is no JSON object, or a field is not of its documented type.",
        ErrorKind::UnsupportedParameter => "A field is understood but cannot be honoured; it is named.",
        ErrorKind::Unauthenticated => "No key was sent, or one that is not known.",
        ErrorKind::KeyExpired => "The key has expired or was revoked.",
        ErrorKind::Forbidden => "The key's list of models does not cover this one.",
        ErrorKind::BudgetExceeded => "What this request can cost does not fit into what is left of a budget.",
        ErrorKind::CostUnbounded => {
            "The key has a budget, and the bill of this request cannot be bounded, or has no known price."
        }
        ErrorKind::RateLimited => {
            "The key's limit of requests, tokens or requests under way is reached, or its team's part of the queue at the door is full."
        }
        ErrorKind::NotFound => "There is no such path.",
        ErrorKind::MethodNotAllowed => "The path takes another method; the header `allow` names it.",
        ErrorKind::ModelNotFound => {
            "No configured account offers a model of this name; names like it are suggested."
        }
        ErrorKind::NothingCapable => "The model is known, but nothing that serves it can do what was asked.",
        ErrorKind::RequestTooLarge => "The body is larger than `server.limits.body_bytes_max`.",
        ErrorKind::UnsupportedMediaType => "The body is not plain JSON, or it is compressed.",
        ErrorKind::Overloaded => {
            "Too many requests are under way and its turn did not come in time, or bodies take all the memory they may."
        }
        ErrorKind::JournalFull => "The journal has no room, and nothing is sent that could not be recorded.",
        ErrorKind::StoreUnavailable => "The key is not in memory yet and the store did not answer in time.",
        ErrorKind::ShuttingDown => "The gateway is stopping.",
        ErrorKind::UpstreamRejected => {
            "A provider refused the request as it is; its own words are passed on."
        }
        ErrorKind::UpstreamAuth => "The provider does not accept the account's key, model or payment.",
        ErrorKind::UpstreamRateLimited => "Everything that could serve this is limited by its provider.",
        ErrorKind::UpstreamOverloaded => "Everything that could serve this is overloaded.",
        ErrorKind::UpstreamFailed => "The provider failed.",
        ErrorKind::UpstreamTimeout => "The provider did not speak in time.",
        ErrorKind::UpstreamUnreachable => "There is no connection to the provider.",
        ErrorKind::UpstreamMalformed => "The provider's answer is not what its protocol says.",
        ErrorKind::UpstreamCut => "The provider's answer ended before its end.",
        ErrorKind::UpstreamSchemaMismatch => {
            "No answer was the JSON document that was asked for, where answers are validated; each try is billed."
        }
        ErrorKind::ProviderStateGone => {
            "The account that keeps the answer you refer to is gone from the configuration, or no longer serves that model: send the whole conversation."
        }
        ErrorKind::NoHealthyDeployment => "Everything that could serve this is cooling down.",
        ErrorKind::DeadlineExceeded => "The request's total time passed.",
        ErrorKind::ClientClosed => "The caller went away; recorded, and seen by nobody.",
        ErrorKind::Internal => "A defect of the gateway.",
    }
}

const PROVIDERS_HEAD: &str = "# Providers\n\n\
    What `kind` can be in `[providers.NAME]`. *Checked* means that answers which its own documentation or SDK shows are \
    among the fixtures, each with its source. The others are compatible by their own word, or written from an SDK's types \
    alone, and are shown as unverified everywhere. Without a configuration file, a provider with a public address is there when one of its \
    variables is set; local servers are there when they answer.\n";

/// The sections of the page, in order.
const SECTIONS: &[&str] = &[
    "Public address, checked",
    "An address of your own (`base_url`)",
    "Local servers",
    "Inside the gateway",
    "Public address, unverified",
];

/// The place of a provider's section.
fn section(spec: &ProviderSpec) -> usize {
    match (spec.base_url, spec.proof) {
        (BaseUrl::Fixed(_), Proof::Proven) => 0,
        (BaseUrl::PerCustomer(_), _) => 1,
        (BaseUrl::Local { .. }, _) => 2,
        (BaseUrl::InProcess, _) => 3,
        (BaseUrl::Fixed(_), Proof::Unverified) => 4,
    }
}

fn providers() -> String {
    let mut page = PROVIDERS_HEAD.to_owned();
    for (heading, place) in SECTIONS.iter().zip(0..) {
        _ = write!(
            page,
            "\n## {heading}\n\n| `kind` | Name | Address | Variables | Serves | What differs |\n"
        );
        page.push_str("|---|---|---|---|---|---|\n");
        for spec in ALL.iter().filter(|spec| section(spec) == place) {
            _ = writeln!(
                page,
                "| `{}` | [{}]({}){} | {} | {} | {} | {} |",
                spec.id,
                spec.name,
                spec.docs,
                unverified_mark(spec),
                address(spec),
                code_list(spec.env.iter().copied()),
                code_list(spec.operations().map(Operation::as_str)),
                differences(spec),
            );
        }
    }
    page
}

/// For a provider whose section does not say it.
fn unverified_mark(spec: &ProviderSpec) -> &'static str {
    match (spec.base_url, spec.proof) {
        (BaseUrl::PerCustomer(_), Proof::Unverified) => " (unverified)",
        _ => "",
    }
}

fn address(spec: &ProviderSpec) -> String {
    match spec.base_url {
        BaseUrl::Fixed(url) => format!("`{url}`"),
        BaseUrl::PerCustomer(example) => format!("such as `{example}`"),
        BaseUrl::Local { url, account } => format!("`{url}`, account `{account}`"),
        BaseUrl::InProcess => "none".to_owned(),
    }
}

/// What a caller or an operator may notice. Nothing but a difference is said.
fn differences(spec: &ProviderSpec) -> String {
    let quirks = &spec.quirks;
    let mut said = Vec::new();
    if !quirks.unsupported.is_empty() {
        said.push(format!("takes no {}", code_list(quirks.unsupported.iter().copied())));
    }
    if !quirks.unsupported_members.is_empty() {
        said.push(format!("takes no {} in messages", code_list(quirks.unsupported_members.iter().copied())));
    }
    for (ours, theirs) in quirks.renamed {
        said.push(format!("`{ours}` goes as `{theirs}`"));
    }
    match quirks.stream_usage {
        StreamUsage::OnRequest => {}
        StreamUsage::Always => said.push("usage comes unasked; takes no `stream_options`".to_owned()),
        StreamUsage::AlwaysTolerant => said.push("usage comes unasked".to_owned()),
    }
    if quirks.done_marker == DoneMarker::Optional && spec.proof == Proof::Proven {
        said.push("a stream may end without `[DONE]`".to_owned());
    }
    if !quirks.understands.is_empty() {
        said.push(format!("is passed {}", code_list(quirks.understands.iter().copied())));
    }
    if let AuthScheme::Header(name) = spec.auth {
        said.push(format!("key in the header `{name}`"));
    }
    if !spec.clouds.is_empty() {
        said.push(format!(
            "takes `auth` of kind {}",
            code_list(spec.clouds.iter().map(|cloud| cloud.as_str()))
        ));
    }
    if spec.listing.is_none() && spec.base_url != BaseUrl::InProcess {
        said.push("has no listing of its models".to_owned());
    }
    if spec.cancel == CancelBilling::Stops && spec.base_url != BaseUrl::InProcess {
        said.push("closing the connection ends the work".to_owned());
    }
    or_dash(said.join("; "))
}

fn code_list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    or_dash(words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "–".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_on_the_page_once() {
        let page = providers();
        for spec in ALL {
            assert_eq!(page.matches(&format!("\n| `{}` |", spec.id)).count(), 1, "{}", spec.id);
        }
    }

    #[test]
    fn the_committed_pages_are_those_of_the_present_code() {
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")).unwrap();
    }

    #[test]
    fn a_page_that_was_edited_is_found() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        check(folder.path()).unwrap();
        std::fs::write(folder.path().join("errors.md"), "# Errors\n").unwrap();
        assert!(matches!(check(folder.path()), Err(Problem::Stale(_))));
    }
}
