//! Answers that a provider keeps: asked for again through
//! [`Engine::recall`](trunkline_engine::Engine::recall). A body, if there is one, is never read.

use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::Response;
use http::StatusCode;
use trunkline_domain::{Dialect, Error, ErrorKind, Text};
use trunkline_engine::kept::{RecallAsk, Recalled};
use trunkline_wire::responses::kept::Recall;

use crate::app::App;
use crate::render;

/// Asks for one.
pub(crate) async fn ask(app: App, dialect: Dialect, recall: Recall, mut request: Request) -> Response {
    let id = match request.extract_parts::<Path<String>>().await {
        Ok(Path(id)) => Text::from(id),
        Err(error) => {
            let error = Error::new(ErrorKind::InvalidRequest, format!("the path cannot be read: {error}"));
            return render::error_in(dialect, &error);
        }
    };
    let (parts, _) = request.into_parts();
    let query = parts.uri.query().map(str::to_owned);
    let ask = RecallAsk { dialect, recall, id, query, headers: parts.headers };
    match Box::pin(app.engine.recall(ask)).await {
        Ok(recalled) => answer(recalled),
        Err(error) => render::error_in(dialect, &error),
    }
}

fn answer(recalled: Recalled) -> Response {
    let Recalled { status, headers, body } = recalled;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}
