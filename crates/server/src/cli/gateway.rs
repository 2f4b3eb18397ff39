//! The admin API, wherever it is: in a running gateway, or over the files in this process when none runs.

use std::path::Path;
use std::time::Duration;

use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use serde::de::DeserializeOwned;

use super::control::Control;
use super::failure::Failure;
use super::files::{Files, OpenError};
use super::place::Place;
use crate::admin::refusal::RefusalBody;

/// A gateway that is starting or stopping holds the data without answering: how long it is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Who answers.
pub(super) enum Gateway {
    /// A gateway that runs.
    Running(Control),
    /// This process, over the data directory.
    Files(Box<Files>),
}

/// Whether a command makes sense where nothing has been stored yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It reads or changes what is there.
    Data,
    /// It may be the first.
    Nothing,
}

impl Gateway {
    /// The gateway of the data directory, or the directory itself.
    pub(super) async fn open(place: &Place, need: Need) -> Result<Self, Failure> {
        let data_dir = place.data_dir()?;
        let patient_until = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(control) = Control::find(&data_dir).await? {
                return Ok(Self::Running(control));
            }
            if need == Need::Data && !holds_data(&data_dir) {
                return Err(Failure::new(format!(
                    "there is no data in {}: start the gateway with `trunkline serve`, or name its directory with --data-dir",
                    data_dir.display()
                )));
            }
            match Files::open(place, &data_dir).await {
                Ok(files) => return Ok(Self::Files(Box::new(files))),
                Err(OpenError::InUse) if tokio::time::Instant::now() < patient_until => {
                    tokio::time::sleep(TRY_EVERY).await;
                }
                Err(OpenError::InUse) => {
                    return Err(Failure::new(format!(
                        "another process uses {} and does not answer: wait for it to start, or stop it",
                        data_dir.display()
                    )));
                }
                Err(OpenError::Failed(failure)) => return Err(failure),
            }
        }
    }

    /// Asks for something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Sends something, and reads the answer.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, Failure> {
        let request = Request::builder().method(method).uri(format!("/admin/v1{path}")).body(Full::new(body));
        let request =
            request.map_err(|error| Failure::new(format!("the request cannot be made: {error}")))?;
        let (status, answer) = match self {
            Self::Running(control) => control.call(request).await?,
            Self::Files(files) => files.call(request).await?,
        };
        if !status.is_success() {
            return Err(refused(status, &answer));
        }
        serde_json::from_slice(&answer).map_err(|error| {
            Failure::new(format!(
                "the gateway's answer is not understood ({error}): it is of another version than this program"
            ))
        })
    }

    /// Leaves everything as it belongs.
    pub(super) async fn close(self) {
        match self {
            Self::Running(_) => {}
            Self::Files(files) => files.close().await,
        }
    }
}

fn holds_data(data_dir: &Path) -> bool {
    data_dir.join("control.db").exists()
}

fn refused(status: StatusCode, answer: &[u8]) -> Failure {
    let Ok(RefusalBody { error }) = serde_json::from_slice(answer) else {
        return Failure::new(format!("the gateway answered with status {status}"));
    };
    if status == StatusCode::BAD_REQUEST {
        Failure::mistake(error.message)
    } else {
        Failure::new(error.message)
    }
}

/// A text as a part of a path or a value of a query: everything but RFC 3986's unreserved characters is escaped.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(escaped, "%{byte:02X}").unwrap_or_default();
        }
    }
    escaped
}

/// A query of the parameters that are there, with its question mark.
pub(super) fn query(parameters: &[(&str, Option<String>)]) -> String {
    let present = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    present.fold(String::new(), |query, (name, value)| {
        let mark = if query.is_empty() { '?' } else { '&' };
        format!("{query}{mark}{name}={}", escape(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_path_stays_one_part_of_it() {
        assert_eq!(escape("a b/ü?"), "a%20b%2F%C3%BC%3F");
        assert_eq!(query(&[("a", None), ("b", Some("1,2".into())), ("c", Some("x".into()))]), "?b=1%2C2&c=x");
        assert_eq!(query(&[]), "");
    }
}
