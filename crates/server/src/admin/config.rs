//! `/admin/v1/config`: what is in force, another try at the file, and a check of a text that is not in force.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Serialize;
use trunkline_engine::config::{CatalogueModels, Problem, Severity, check as check_text};

use super::AdminState;
use super::config_view::ConfigView;
use super::read::{BODY_BYTES_MAX, body};
use super::refusal::Refusal;

/// A configuration that is in force.
#[derive(Serialize)]
pub(super) struct InForce {
    version: u64,
    file: Option<String>,
    price_version: String,
    catalogue_version: String,
    config: ConfigView,
}

/// What came of a reload.
#[derive(Serialize)]
pub(super) struct Reloaded {
    ok: bool,
    version: u64,
    problems: Vec<String>,
}

/// What a check found.
#[derive(Serialize)]
pub(super) struct Found {
    ok: bool,
    problems: Vec<ProblemView>,
}

#[derive(Serialize)]
struct ProblemView {
    severity: &'static str,
    line: usize,
    column: usize,
    key: String,
    message: String,
    hint: Option<String>,
}

pub(super) async fn in_force(State(state): State<AdminState>) -> Json<InForce> {
    let snapshot = state.engine.snapshot();
    let configurator = state.engine.configurator();
    Json(InForce {
        version: snapshot.version,
        file: state.reloader.path().map(|path| path.display().to_string()),
        price_version: snapshot.price_version.to_string(),
        catalogue_version: configurator.catalogue().await.version().to_string(),
        config: ConfigView::new(&configurator.config().await, &snapshot),
    })
}

/// A file with problems is no failure of the call: the answer lists them, and the last good one stays in force.
pub(super) async fn reload(State(state): State<AdminState>) -> Json<Reloaded> {
    let problems = state.reloader.reload().await.err().unwrap_or_default();
    Json(Reloaded { ok: problems.is_empty(), version: state.engine.snapshot().version, problems })
}

pub(super) async fn check(State(state): State<AdminState>, request: Body) -> Result<Json<Found>, Refusal> {
    let body = body(request, BODY_BYTES_MAX).await?;
    let text = std::str::from_utf8(&body).map_err(|_| Refusal::invalid("the body is not UTF-8 text"))?;
    let catalogue = state.engine.configurator().catalogue().await;
    let models = CatalogueModels::new(&catalogue).map_err(|error| Refusal::internal(error.to_string()))?;
    let checked = check_text(text, &models);
    let ok = checked.config.is_some();
    Ok(Json(Found { ok, problems: checked.problems.into_iter().map(ProblemView::from).collect() }))
}

impl From<Problem> for ProblemView {
    fn from(problem: Problem) -> Self {
        let Problem { severity, position, key, message, hint } = problem;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self { severity, line: position.line, column: position.column, key, message, hint }
    }
}
