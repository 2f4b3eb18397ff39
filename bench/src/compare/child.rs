//! A server that runs for the time of the benchmark: started, waited for, ended with whoever started it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::error::{Context as _, Error, Result};
use crate::load::get;

/// How long a server may take to end by itself before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// How often a starting server is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    started: Instant,
}

impl Server {
    /// Starts a command; what it says goes to `NAME.log` in the directory.
    pub(super) fn start(name: &'static str, command: &mut Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let open = || File::options().create(true).append(true).open(&log);
        let (out, err) = (open().context(|| format!("cannot write {}", log.display()))?, open());
        command.stdin(Stdio::null()).stdout(out);
        command.stderr(err.context(|| format!("cannot write {}", log.display()))?);
        let started = Instant::now();
        let child = command.spawn().context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log, started })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a `GET` of the path is answered with 200; the time since its start.
    pub(super) async fn ready(
        &mut self,
        address: SocketAddr,
        path: &'static str,
        deadline: Duration,
    ) -> Result<Duration> {
        loop {
            if matches!(get(address, path).await, Ok((StatusCode::OK, _))) {
                return Ok(self.started.elapsed());
            }
            let ended = self.child.try_wait().context(|| format!("cannot watch {}", self.name))?;
            if ended.is_some() || self.started.elapsed() > deadline {
                return Err(Error::Unexpected(format!(
                    "{} did not become ready: {}",
                    self.name,
                    self.last_words()
                )));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Asks it to end and waits until it has.
    pub(super) async fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended a moment ago.
            kill_process(pid, Signal::TERM).ok();
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_DEADLINE {
            if self.child.try_wait().context(|| format!("cannot watch {}", self.name))?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Error::Unexpected(format!("{} does not end when asked to", self.name)))
    }

    /// The end of its log.
    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A loopback port nobody listens on now.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(|| "no port is free".to_owned())?;
    listener.local_addr().context(|| "a port has no number".to_owned())
}

/// What a command prints, if it succeeds.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().context(|| format!("cannot start {name}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(Error::Unexpected(format!("{name} failed ({}): {}", output.status, text(&output.stderr))))
}
