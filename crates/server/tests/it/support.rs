//! A gateway as a process of its own, and a client that speaks to it over whatever it listens on.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use trunkline_testkit::fake_provider::{FakeProvider, Script, Server, Setup};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// A process; killed when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    process: Process,
    pub(crate) directory: Arc<TempDir>,
    pub(crate) listen: String,
    pub(crate) admin: String,
    /// The first virtual key.
    pub(crate) key: String,
}

/// A gateway's directory: its configuration, its data, its log.
pub(crate) fn directory(config: &str) -> Arc<TempDir> {
    let directory = TempDir::new().unwrap();
    // A provider's listing is a call too, and would take the script meant for the first answer.
    let quiet = if config.contains("[catalogue]") { "" } else { "\n[catalogue]\nlisting_refresh = false\n" };
    std::fs::write(directory.path().join("trunkline.toml"), config.to_owned() + quiet).unwrap();
    Arc::new(directory)
}

/// Flags that ask for free ports and a data directory beside the configuration.
pub(crate) const USUAL: [&str; 6] =
    ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", "data"];

/// The command that serves from a directory.
pub(crate) fn serve(directory: &TempDir, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    let path = directory.path().join("log");
    if !flags.contains(&"--takeover") {
        // Not there before the first start.
        std::fs::remove_file(&path).ok();
    }
    let log = std::fs::File::options().create(true).append(true).open(path).unwrap();
    command
        .env_clear()
        .env("TRUNKLINE_LOG", "debug")
        .current_dir(directory.path())
        .arg("serve")
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(log);
    command
}

impl Gateway {
    /// Starts with a configuration, on free ports.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(&directory(config), &USUAL)
    }

    /// Starts in a directory that may have been used before; done when it says where it listens.
    pub(crate) fn start_in(directory: &Arc<TempDir>, flags: &[&str]) -> Self {
        Self::start_as(directory, serve(directory, flags))
    }

    /// The same, by a command of the caller's, whose log may go elsewhere.
    pub(crate) fn start_as(directory: &Arc<TempDir>, mut command: Command) -> Self {
        let directory = Arc::clone(directory);
        let mut process = Process(command.spawn().unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let log = || std::fs::read_to_string(directory.path().join("log")).unwrap();
        let data = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("curl")));
        assert!(data.is_some(), "the gateway did not start: {}", log());
        let read = |name: &str| std::fs::read_to_string(directory.path().join("data").join(name)).unwrap();
        let addresses: Value = serde_json::from_str(&read("addresses.json")).unwrap();
        let address = |name: &str| addresses[name].as_str().unwrap().to_owned();
        let (listen, admin) = (address("listen"), address("admin_listen"));
        let key =
            read("first-run.txt").lines().find_map(|line| line.strip_prefix("key: ").map(str::to_owned));
        Self { process, directory, listen, admin, key: key.unwrap_or_default() }
    }

    /// Starts another one that takes over from this one.
    pub(crate) fn succeeded(&self) -> Self {
        let mut flags = USUAL.to_vec();
        flags.push("--takeover");
        Self { key: self.key.clone(), ..Self::start_in(&self.directory, &flags) }
    }

    /// A file of its data directory.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    /// Its log so far: lines are written a little after they are said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Waits until the log says this, and returns the log.
    pub(crate) async fn logged(&self, words: &str) -> String {
        until(|| Some(self.log()).filter(|log| log.contains(words))).await
    }

    pub(crate) fn write_config(&self, config: &str) {
        // Replaced as editors do it, so that no half of it is ever read.
        let draft = self.directory.path().join("draft.toml");
        std::fs::write(&draft, config).unwrap();
        std::fs::rename(draft, self.directory.path().join("trunkline.toml")).unwrap();
    }

    /// Its standard error, where that is a pipe.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.process.0.stderr.take().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until(|| self.process.0.try_wait().unwrap()).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listen.parse().unwrap()
    }

    /// A request with the first key.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        request_as(&self.key, method, path)
    }

    /// Makes another key, over the owner's socket.
    pub(crate) async fn another_key(&self, facts: &Value) -> String {
        let request = Request::post("/admin/v1/keys").header("host", "gateway");
        let stream = UnixStream::connect(self.data("control.sock")).await.unwrap();
        let made = exchange(stream, request.body(Full::from(facts.to_string())).unwrap()).await;
        made.json()["key"].as_str().unwrap().to_owned()
    }

    /// Asks with another key than the first.
    pub(crate) async fn get_as(&self, key: &str, path: &str) -> Answer {
        self.send(request_as(key, Method::GET, path).body(Full::default()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Full::default()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.send(request.body(Full::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        exchange(TcpStream::connect(self.address()).await.unwrap(), request).await
    }

    /// A request whose answer's body is left to be read.
    pub(crate) async fn begin(&self, path: &str, body: &Value) -> http::Response<Incoming> {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        let request = request.body(Full::from(body.to_string())).unwrap();
        begin(TcpStream::connect(self.address()).await.unwrap(), request).await
    }

    /// A request whose answer nobody waits for; it is under way as long as the connection is kept.
    pub(crate) async fn open(&self, path: &str, body: &Value) -> TcpStream {
        let (key, body) = (&self.key, body.to_string());
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        stream
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn get_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Looks again and again, until there is something or it has taken far too long.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, looking).await.expect("it never came")
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The OpenAI code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The JSON of each event of a stream, its end left out.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The text of a streamed chat.
    pub(crate) fn streamed_text(&self) -> String {
        let texts = self.chunks().into_iter().map(|chunk| chunk["choices"][0]["delta"]["content"].clone());
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    }
}

fn request_as(key: &str, method: Method, path: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path).header("host", "gateway");
    request.header("authorization", format!("Bearer {key}"))
}

/// One request over an open connection of any sort.
pub(crate) async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    read(begin(stream, request).await).await
}

pub(crate) async fn begin<S>(stream: S, request: Request<Full<Bytes>>) -> http::Response<Incoming>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    sender.send_request(request).await.unwrap()
}

pub(crate) async fn read(response: http::Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = tokio::time::timeout(LONG, body.collect()).await.expect("the answer never ended").unwrap();
    let body = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

/// A chat with a model.
pub(crate) fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] })
}

pub(crate) fn streamed(model: &str) -> Value {
    json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// A fake provider that serves `m`, listening.
pub(crate) struct Fake {
    pub(crate) provider: FakeProvider,
    pub(crate) server: Server,
}

impl Fake {
    pub(crate) async fn with(scripts: &[Script]) -> Self {
        let setup = Setup { models: vec!["m".to_owned()], scripts: scripts.to_vec(), ..Setup::default() };
        let provider = FakeProvider::new(setup).unwrap();
        let server = provider.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { provider, server }
    }

    /// Waits until the provider was asked for an answer.
    pub(crate) async fn asked(&self) {
        until(|| self.provider.log().iter().any(|seen| seen.method == "POST").then_some(())).await;
    }

    /// The configuration of an account `name` at it, whose model `m` is `acme/m`.
    pub(crate) fn account(&self, name: &str, priority: i32) -> String {
        account(name, &self.server.base_url(), priority)
    }
}

/// An account at a server of `acme/m`.
pub(crate) fn account(name: &str, base_url: &str, priority: i32) -> String {
    format!(
        "[providers.{name}]\nkind = \"custom\"\nbase_url = \"{base_url}\"\npriority = {priority}\n\
         models = [{{ id = \"m\", name = \"acme/m\", context_window = 8192, output_max = 1024, \
         input_usd_per_million = 1, output_usd_per_million = 2 }}]\n\n"
    )
}
