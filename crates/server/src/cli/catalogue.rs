//! `trunkline catalogue`: newer models and prices, signed, and the way back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use clap::{Args, Subcommand};
use trunkline_catalogue::update::BUNDLE_BYTES_MAX;
use trunkline_upstream::fetch::{Fetch, fetch};
use trunkline_upstream::origin::Origin;

use super::failure::Failure;
use super::gateway::{Gateway, Need};
use super::output::Column::{Figures, Name, Words};
use super::output::{self, Sheet, Text, Tone};
use super::place::Place;
use crate::admin::catalogue::{Changes, FigureView, OfferView, Updated, Versions};
use crate::boot::network;

/// How long a download may take.
const DOWNLOAD_DEADLINE: Duration = Duration::from_mins(1);
/// Changes of one sort that are shown; --json has all.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Catalogue {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Take a newer catalogue, if a configured key has signed it
    Update {
        /// A file or an http(s) address
        #[arg(long, value_name = "FILE|URL")]
        from: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a catalogue would change, or what the one in force changes over the built-in one
    Diff {
        /// A file or an http(s) address
        #[arg(long, value_name = "FILE|URL")]
        from: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Return to the catalogue before
    Rollback {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List stored versions
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Catalogue {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let bundle = match &self.what {
            What::Update { from, .. } | What::Diff { from: Some(from), .. } => read(from).await?,
            What::Diff { from: None, .. } | What::Rollback { .. } | What::List { .. } => Bytes::new(),
        };
        let gateway = Gateway::open(place, Need::Nothing).await?;
        let done = self.what.run(&gateway, bundle).await;
        gateway.close().await;
        done
    }
}

impl What {
    async fn run(self, gateway: &Gateway, bundle: Bytes) -> Result<(), Failure> {
        match self {
            Self::Update { json, .. } => {
                let updated = gateway.send(Method::POST, "/catalogue/update", bundle).await?;
                show_updated(&updated, json);
            }
            Self::Rollback { json } => {
                let updated = gateway.send(Method::POST, "/catalogue/rollback", Bytes::new()).await?;
                show_updated(&updated, json);
            }
            Self::Diff { from, json } => {
                let changes: Changes = match from {
                    Some(_) => gateway.send(Method::POST, "/catalogue/diff", bundle).await?,
                    None => gateway.get("/catalogue/diff").await?,
                };
                if json { output::json(&changes) } else { show_changes(&changes) }
            }
            Self::List { json } => {
                let versions: Versions = gateway.get("/catalogue").await?;
                if json { output::json(&versions) } else { show_versions(&versions) }
            }
        }
        Ok(())
    }
}

async fn read(from: &str) -> Result<Bytes, Failure> {
    if from.starts_with("https://") || from.starts_with("http://") {
        return download(from).await;
    }
    let path = Path::new(from);
    let size = std::fs::metadata(path)
        .map_err(|error| Failure::mistake(format!("{from} cannot be read: {error}")))?;
    if size.len() > BUNDLE_BYTES_MAX as u64 {
        return Err(Failure::mistake(format!("{from} is larger than a catalogue may be")));
    }
    let bytes =
        std::fs::read(path).map_err(|error| Failure::mistake(format!("{from} cannot be read: {error}")))?;
    Ok(Bytes::from(bytes))
}

async fn download(url: &str) -> Result<Bytes, Failure> {
    let uri: axum::http::Uri =
        url.parse().map_err(|_| Failure::mistake(format!("{url} is not an address")))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let authority = uri.authority().map(axum::http::uri::Authority::as_str).unwrap_or_default();
    let base = format!("{}://{authority}", uri.scheme_str().unwrap_or("https"));
    let origin = Origin::parse(&base).map_err(|error| Failure::mistake(format!("{url}: {error}")))?;
    let way = network().map_err(|error| Failure::new(error.to_string()))?;
    let wanted = Fetch {
        method: http::Method::GET,
        origin: Arc::new(origin),
        path,
        headers: HeaderMap::new(),
        authorization: None,
        deadline: DOWNLOAD_DEADLINE,
        body_max: BUNDLE_BYTES_MAX,
    };
    let response = fetch(&way, wanted).await.map_err(|error| Failure::new(format!("{url}: {error}")))?;
    match response.status {
        200 => Ok(response.body),
        status => {
            Err(Failure::new(format!("{url} answered with status {status}; redirects are not followed")))
        }
    }
}

fn show_updated(updated: &Updated, json: bool) {
    if json {
        return output::json(updated);
    }
    show_changes(&updated.changes);
    output::line("");
    let to = &updated.changes.to;
    output::line(&match updated.number {
        Some(number) => format!("catalogue {to} is in force (stored as {number})"),
        None => format!("the built-in catalogue {to} is in force"),
    });
}

fn show_versions(versions: &Versions) {
    let mut sheet = Sheet::new(&[Name(""), Name("VERSION"), Name("STORED"), Figures("BYTES")]);
    let in_force = || Text::new("●", Tone::Good);
    for version in &versions.stored {
        sheet.row(vec![
            if version.current { in_force() } else { Text::from("") },
            Text::from(version.number.to_string()),
            Text::from(&*version.stored_at),
            output::thousands(version.bytes).into(),
        ]);
    }
    let built_in = versions.stored.iter().all(|version| !version.current);
    let mark = if built_in { in_force() } else { Text::from("") };
    sheet.row(vec![mark, Text::from("built-in"), Text::from(&*versions.built_in), Text::from("")]);
    sheet.print();
    output::hint("");
    output::hint(&format!("● in force: {}", versions.version));
}

fn show_changes(changes: &Changes) {
    output::line(&format!("from {} to {}", changes.from, changes.to));
    let offers = [("new", &changes.new, Tone::Good), ("gone", &changes.gone, Tone::Bad)];
    let figures = [
        ("dearer, $/M", &changes.dearer, Tone::Bad),
        ("cheaper, $/M", &changes.cheaper, Tone::Good),
        ("price appears or goes, $/M", &changes.repriced, Tone::Warning),
        ("limits, tokens", &changes.limits, Tone::Warning),
    ];
    let count = offers.iter().map(|(_, list, _)| list.len()).sum::<usize>()
        + figures.iter().map(|(_, list, _)| list.len()).sum::<usize>();
    if count == 0 {
        return output::line("nothing changes");
    }
    for (title, list, tone) in offers {
        show_offers(title, list, tone);
    }
    for (title, list, tone) in figures {
        show_figures(title, list, tone);
    }
}

fn heading(title: &str, count: usize) {
    output::line("");
    output::line(&format!("{title} ({count})"));
}

fn more(count: usize) {
    if count > SHOWN_MAX {
        output::line(&format!("… and {} more: --json has all", count - SHOWN_MAX));
    }
}

fn show_offers(title: &str, offers: &[OfferView], tone: Tone) {
    if offers.is_empty() {
        return;
    }
    heading(title, offers.len());
    let mut sheet = Sheet::new(&[Name("MODEL"), Name("PROVIDER"), Words("UPSTREAM ID")]);
    for offer in offers.iter().take(SHOWN_MAX) {
        sheet.row(vec![
            Text::new(&*offer.model, tone),
            Text::from(&*offer.provider),
            Text::new(&*offer.upstream_id, Tone::Faint),
        ]);
    }
    sheet.print();
    more(offers.len());
}

fn show_figures(title: &str, figures: &[FigureView], tone: Tone) {
    if figures.is_empty() {
        return;
    }
    heading(title, figures.len());
    let mut sheet =
        Sheet::new(&[Name("MODEL"), Name("PROVIDER"), Words("FIGURE"), Figures("BEFORE"), Figures("AFTER")]);
    for figure in figures.iter().take(SHOWN_MAX) {
        sheet.row(vec![
            Text::from(&*figure.offer.model),
            Text::from(&*figure.offer.provider),
            Text::from(&*figure.figure),
            Text::from(figure.before.as_deref().unwrap_or("–")),
            Text::new(figure.after.as_deref().unwrap_or("–"), tone),
        ]);
    }
    sheet.print();
    more(figures.len());
}
