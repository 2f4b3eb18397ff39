//! What monitors ask for, without a token: alive, ready, metrics. Metrics name providers, models and rows of fixed
//! tables, never a caller.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::AdminState;
use crate::query::Status;
use crate::render;

/// The content type of <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(state): State<AdminState>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], state.engine.metrics_text()).into_response()
}

pub(super) async fn healthz() -> Response {
    render::json(&Status { status: "ok" })
}

pub(super) async fn readyz(State(state): State<AdminState>) -> Response {
    let (code, status) = if state.engine.is_ready() {
        (StatusCode::OK, "ready")
    } else if state.engine.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "loading keys")
    };
    (code, render::json(&Status { status })).into_response()
}
