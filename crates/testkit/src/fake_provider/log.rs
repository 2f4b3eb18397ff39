//! What the provider saw and did: the truth that a gateway's ledger is compared with.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Arrived, Disconnect};

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// 0 for the first.
    pub number: u64,
    /// What stands between the first `[[` and `]]` of the body: how a test names its calls.
    pub marker: Option<String>,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Request headers; of keys only that they were there.
    pub headers: Vec<(String, String)>,
    /// Request body.
    pub body: String,
    /// The status answered.
    pub status: Option<u16>,
    /// `id` of the answer.
    pub answer_id: Option<String>,
    /// Bytes of the response's body that were handed to the connection.
    pub bytes_sent: u64,
    /// What is billed: nothing for refusals and failures.
    pub billed: Option<Billed>,
    /// How it ended.
    pub ending: Ending,
    /// What was improper about it.
    pub violations: Vec<String>,
}

/// What a call costs its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Billed {
    /// Tokens of the prompt, cached or not.
    pub prompt_tokens: u64,
    /// Those of them that were read from a cache.
    pub cache_read_tokens: u64,
    /// Those of them that were written to a cache.
    pub cache_write_tokens: u64,
    /// Tokens generated, thoughts among them.
    pub completion_tokens: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It has not.
    Open,
    /// The response was handed over whole (or truncated, as if it were whole).
    Finished,
    /// The provider broke it off.
    Cut,
    /// The caller went away.
    ClientClosed,
}

#[derive(Debug)]
pub(crate) struct Log {
    calls: Mutex<Vec<Seen>>,
    file: Option<Mutex<File>>,
    disconnect: Disconnect,
    ended: watch::Sender<usize>,
}

impl Log {
    pub(crate) fn new(path: Option<&Path>, disconnect: Disconnect) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self {
            calls: Mutex::new(Vec::new()),
            file: file.map(Mutex::new),
            disconnect,
            ended: watch::Sender::new(0),
        })
    }

    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    pub(crate) async fn ended(&self, count: usize) {
        let mut ended = self.ended.subscribe();
        // The sender lives in `self`, so the wait ends only when there are enough.
        ended.wait_for(|ended| *ended >= count).await.ok();
    }

    pub(crate) fn arrived(&self, arrived: &Arrived) -> u64 {
        let body = String::from_utf8_lossy(&arrived.body).into_owned();
        let marker = body
            .split_once("[[")
            .and_then(|(_, rest)| rest.split_once("]]"))
            .map(|(marker, _)| marker.to_owned());
        let shown = |name: &str, value: &[u8]| match name {
            "authorization" | "x-api-key" | "x-goog-api-key" => "…".to_owned(),
            _ => String::from_utf8_lossy(value).into_owned(),
        };
        let headers = arrived.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), shown(name.as_str(), value.as_bytes())));
        let mut calls = self.lock();
        let number = u64::try_from(calls.len()).unwrap_or(u64::MAX);
        calls.push(Seen {
            number,
            marker,
            method: arrived.method.to_string(),
            path: arrived.path.clone(),
            headers: headers.collect(),
            body,
            status: None,
            answer_id: None,
            bytes_sent: 0,
            billed: None,
            ending: Ending::Open,
            violations: Vec::new(),
        });
        number
    }

    /// The handle by which a call's entry is completed.
    pub(crate) fn open(self: &Arc<Self>, number: u64, violations: &[String]) -> Entry {
        let entry = Entry { log: Arc::clone(self), number, total: None, ended: false };
        entry.change(|seen| seen.violations = violations.to_vec());
        entry
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, seen: &Seen) {
        let (Some(file), Ok(mut line)) = (&self.file, serde_json::to_vec(seen)) else { return };
        line.push(b'\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A line that cannot be written is missed by whoever compares.
        file.write_all(&line).ok();
    }
}

/// One call's entry. Dropped before its end, the call was closed by the client.
#[derive(Debug)]
pub(crate) struct Entry {
    log: Arc<Log>,
    number: u64,
    /// What the whole answer costs.
    total: Option<Billed>,
    ended: bool,
}

impl Entry {
    pub(crate) fn bills_at_least(&mut self, billed: Option<Billed>) {
        self.total = billed;
        self.change(|seen| seen.billed = billed);
    }

    pub(crate) fn answered(&mut self, status: u16, id: Option<&str>, total: Option<Billed>) {
        self.total = self.total.or(total);
        self.change(|seen| {
            seen.status = Some(status);
            seen.answer_id = id.map(str::to_owned);
        });
    }

    /// `bytes` more were sent; `billed` is the bill so far.
    pub(crate) fn sent(&self, bytes: usize, billed: Option<Billed>) {
        self.change(|seen| {
            seen.bytes_sent = seen.bytes_sent.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
            seen.billed = billed.or(seen.billed);
        });
    }

    pub(crate) fn end(&mut self, ending: Ending) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let bills_all = ending == Ending::ClientClosed && self.log.disconnect == Disconnect::BillsAll;
        let total = self.total.filter(|_| bills_all);
        self.change(|seen| {
            seen.ending = ending;
            seen.billed = total.or(seen.billed);
        });
        let mut finished = None;
        self.change(|seen| finished = Some(seen.clone()));
        if let Some(seen) = finished {
            self.log.append(&seen);
        }
        self.log.ended.send_modify(|ended| *ended += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        let mut calls = self.log.lock();
        if let Some(seen) = usize::try_from(self.number).ok().and_then(|number| calls.get_mut(number)) {
            change(seen);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.end(Ending::ClientClosed);
    }
}
