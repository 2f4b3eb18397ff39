//! The clouds' token services: strict fakes on loopback, which refuse as the real ones do.

mod aws;
mod entra;
mod google;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use trunkline_domain::{Secret, UnixMs};
use trunkline_upstream::auth::lease::{Pace, Surroundings};
use trunkline_upstream::auth::oauth::ReadSecret;
use trunkline_upstream::origin::Origin;

use crate::support::{at, pools, read_request, serve};

/// 2026-01-02T03:04:05Z.
const NOW: UnixMs = UnixMs(1_767_323_045_000);

/// A request as a fake sees it. Header names are in lower case, a form's fields decoded.
struct Asked {
    line: String,
    headers: BTreeMap<String, String>,
    form: BTreeMap<String, String>,
}

impl Asked {
    fn read(request: &str) -> Self {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let line = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let posted = head.contains("application/x-www-form-urlencoded");
        let fields = body.split('&').filter(|field| posted && !field.is_empty());
        let fields = fields.map(|field| field.split_once('=').unwrap());
        let form = fields.map(|(name, value)| (decoded(name), decoded(value))).collect();
        Self { line, headers, form }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |rest: &mut std::str::Bytes<'_>| char::from(rest.next().unwrap()).to_digit(16).unwrap();
        bytes.push(match byte {
            b'%' => u8::try_from(hex(&mut rest) * 16 + hex(&mut rest)).unwrap(),
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// A fake service, and what it was asked, line by line.
struct Fake {
    origin: Arc<Origin>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Whose every answer is the status and body `answer` makes.
    async fn new(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        let (address, _) = serve(move |mut stream, _| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                while let Some(request) = read_request(&mut stream).await {
                    let request = Asked::read(&request);
                    seen.lock().unwrap().push(request.line.clone());
                    let (status, body) = answer(&request);
                    let length = body.len();
                    let text = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            }
        })
        .await;
        Self { origin: at("http", address), asked }
    }

    /// At a path below it.
    fn below(&self, path: &str) -> Arc<Origin> {
        Arc::new(Origin::parse(&format!("{}{path}", self.origin)).unwrap())
    }

    fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn around() -> Surroundings {
    Surroundings {
        way: Arc::new(pools()),
        now: Arc::new(|| NOW),
        chance: Arc::new(|| 0.0),
        pace: Pace::default(),
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn reads(text: &'static str) -> ReadSecret {
    Arc::new(move || Ok(secret(text)))
}
