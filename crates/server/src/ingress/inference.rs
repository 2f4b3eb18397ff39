//! The one way from a request to a provider: [`Engine::serve`](trunkline_engine::Engine::serve), which checks keys,
//! scopes, budgets and limits and keeps the meter. What each dialect means is the engine's business.

use axum::extract::Request;
use axum::response::Response;
use trunkline_domain::Dialect;
use trunkline_domain::attempt::Origin;
use trunkline_engine::inbound::Inbound;

use crate::app::App;
use crate::render;

/// Serves a request written in a dialect.
pub(crate) async fn serve(app: App, dialect: Dialect, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = app.bodies.source(&parts.headers, body);
    let inbound = Inbound { origin: Origin::Caller, dialect, headers: parts.headers, body };
    match app.engine.serve(inbound).await {
        Ok(answer) => render::answer(answer),
        Err(refusal) => render::refusal(dialect, refusal),
    }
}
