//! The one way from a request to a provider: [`Engine::serve`](trunkline_engine::Engine::serve), which checks keys,
//! scopes, budgets and limits and keeps the meter. What each dialect means is the engine's business.

use axum::RequestExt as _;
use axum::extract::{Path, Request};
use axum::response::Response;
use trunkline_domain::attempt::Origin;
use trunkline_domain::{Dialect, Error, ErrorKind, Text};
use trunkline_engine::inbound::{Inbound, PathFacts};
use trunkline_wire::gemini::path::{Framing, Method, ModelPath};

use crate::app::App;
use crate::query::shown;
use crate::render;

/// Serves a request written in a dialect whose body says everything.
pub(crate) async fn serve(app: App, dialect: Dialect, request: Request) -> Response {
    serve_addressed(app, dialect, None, request).await
}

/// Serves a request of Gemini's, whose path names the model and whether to stream.
pub(crate) async fn serve_gemini(app: App, mut request: Request) -> Response {
    let path = match request.extract_parts::<Path<String>>().await {
        Ok(Path(rest)) => read_path(&rest, request.uri().query()),
        Err(error) => Err(Error::new(ErrorKind::InvalidRequest, format!("the path cannot be read: {error}"))),
    };
    match path {
        Ok(path) => serve_addressed(app, Dialect::GeminiGenerate, Some(path), request).await,
        Err(error) => render::error_in(Dialect::GeminiGenerate, &error),
    }
}

async fn serve_addressed(app: App, dialect: Dialect, path: Option<PathFacts>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = app.bodies.source(&parts.headers, body);
    let inbound = Inbound { origin: Origin::Caller, dialect, path, headers: parts.headers, body };
    // Boxed here, where it is made: the layers around it move their futures, and this one is large.
    match Box::pin(app.engine.serve(inbound)).await {
        Ok(answer) => render::answer(answer),
        Err(refusal) => render::refusal(dialect, refusal),
    }
}

/// `{model}:{method}`, below `/models/`.
fn read_path(rest: &str, query: Option<&str>) -> Result<PathFacts, Error> {
    let stream = match ModelPath::parse(&format!("models/{rest}")) {
        Some(ModelPath { method: Method::GenerateContent, .. }) => None,
        Some(ModelPath { method: Method::StreamGenerateContent, .. }) => Some(Framing::of_query(query)),
        Some(ModelPath { method: Method::CountTokens, .. }) | None => {
            let message = format!(
                "there is no models/{}: a model has the methods :generateContent and :streamGenerateContent",
                shown(rest)
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        }
    };
    let model = rest.rsplit_once(':').map_or(rest, |(model, _)| model);
    Ok(PathFacts { model: Text::from(model), stream })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_is_asked_of_which_model() {
        let read = |rest, query| read_path(rest, query).map(|facts| (facts.model.to_string(), facts.stream));
        assert_eq!(read("m:generateContent", None).unwrap(), ("m".into(), None));
        assert_eq!(
            read("google/m:free:streamGenerateContent", Some("alt=sse")).unwrap(),
            ("google/m:free".into(), Some(Framing::Sse))
        );
        assert_eq!(read("m:streamGenerateContent", None).unwrap().1, Some(Framing::JsonArray));
        assert_eq!(read("m:embedContent", None).unwrap_err().kind, ErrorKind::NotFound);
    }
}
