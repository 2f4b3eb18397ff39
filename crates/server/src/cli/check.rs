//! `trunkline check`: everything that would keep a configuration from running, before it has to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use trunkline_catalogue::Catalogue;
use trunkline_engine::config::{CatalogueModels, Problem, ProcessEnvironment, load};

use super::failure::Failure;
use super::output::thousands;
use super::place::{Place, USUAL_FILE};
use super::{output, world};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The file [default: the configuration file]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    ok: bool,
    file: String,
    problems: Vec<String>,
    warnings: Vec<String>,
    /// What would run.
    #[serde(skip)]
    summary: String,
}

impl Check {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let path = self.file.or_else(|| place.config_path()).unwrap_or_else(|| PathBuf::from(USUAL_FILE));
        let place = Place { config: Some(path.clone()), ..place.clone() };
        let report = examine(&path, Arc::new(catalogue(&place).await?)).await?;
        if self.json {
            output::json(&report);
            return if report.ok { Ok(()) } else { Err(Failure::configuration(Vec::new())) };
        }
        for warning in &report.warnings {
            output::complain(warning);
        }
        if !report.ok {
            return Err(Failure::configuration(report.problems));
        }
        output::line(&format!("{} is right: {}", report.file, report.summary));
        Ok(())
    }
}

/// Loads a file as a gateway would, secrets included, and builds what it would run.
async fn examine(path: &Path, catalogue: Arc<Catalogue>) -> Result<Report, Failure> {
    let file = path.display().to_string();
    let models = CatalogueModels::new(&catalogue).map_err(|error| Failure::new(error.to_string()))?;
    let render = |problems: &[Problem]| problems.iter().map(|problem| problem.render(&file)).collect();
    let loaded = match load(path, &ProcessEnvironment, &models) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let problems = render(&problems);
            return Ok(Report { ok: false, problems, warnings: Vec::new(), summary: String::new(), file });
        }
    };
    let (warnings, routes) = (render(&loaded.warnings), loaded.config.routes.len());
    let built = world::configurator(loaded, Arc::clone(&catalogue)).first().await;
    let (problems, summary) = match built {
        Err(error) => (vec![format!("{file}: {error}")], String::new()),
        Ok(snapshot) => {
            let counts = [
                counted(snapshot.accounts.len(), "account"),
                counted(snapshot.offers.deployments().len(), "model"),
                counted(routes, "route"),
            ];
            (Vec::new(), counts.join(", "))
        }
    };
    Ok(Report { ok: problems.is_empty(), problems, warnings, summary, file })
}

fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", thousands(number as u64))
}

/// The catalogue in use, if the file says well enough where that is; else the built-in one.
async fn catalogue(place: &Place) -> Result<Catalogue, Failure> {
    let settings = world::settings(place).unwrap_or_default();
    let store = match place.data_dir() {
        Ok(data_dir) => world::read_only(&data_dir).await?,
        Err(_) => None,
    };
    world::catalogue(store.as_ref(), &settings).await
}
