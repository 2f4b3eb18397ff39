//! The service manager: sockets it has opened for us (sd_listen_fds(3)), and what it is told (sd_notify(3)).
//! And the successor that a signal asks for, which a service manager could not start beside us.
//!
//! Without one there are no sockets, and what is said goes nowhere. Look first at [`Activation::take`].

use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use super::StartError;

/// The names that `FileDescriptorName=` gives, colon-separated.
const NAMES: &str = "LISTEN_FDNAMES";

/// The flag that makes a start a takeover.
const TAKEOVER: &str = "--takeover";

/// Sockets the service manager has opened, by what they are for. They come before the addresses of the configuration.
#[derive(Debug, Default)]
pub(super) struct Activation {
    /// Callers': named `public`, or not named.
    pub(super) public: Vec<OwnedFd>,
    /// Administrators': named `admin`.
    pub(super) admin: Vec<OwnedFd>,
}

impl Activation {
    /// Takes them over. Once, before the process has a second thread: what the environment says of them is removed.
    pub(super) fn take() -> Result<Self, StartError> {
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut passed = ListenFd::from_env();
        let mut activation = Self::default();
        let mut names = names.split(':');
        for number in 0..passed.len() {
            let name = names.next().unwrap_or_default();
            let socket = listening(&mut passed, number).map_err(|error| {
                StartError::Other(format!(
                    "socket {number} of the service manager cannot be used ({error}): pass stream sockets that listen"
                ))
            })?;
            match name {
                "admin" => activation.admin.push(socket),
                // A unit that names nothing names its sockets after itself.
                "public" | "unknown" | "" => activation.public.push(socket),
                unit if is_unit(unit) => activation.public.push(socket),
                other => {
                    return Err(StartError::Other(format!(
                        "the service manager passes a socket named \"{other}\": set FileDescriptorName=public or \
                         FileDescriptorName=admin in its unit"
                    )));
                }
            }
        }
        Ok(activation)
    }
}

fn is_unit(name: &str) -> bool {
    name.strip_suffix(".socket").is_some_and(|stem| !stem.is_empty())
}

fn listening(passed: &mut ListenFd, number: usize) -> io::Result<OwnedFd> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    match passed.take_tcp_listener(number) {
        Ok(listener) => listener.map(OwnedFd::from).ok_or_else(missing),
        Err(_) => passed.take_unix_listener(number)?.map(OwnedFd::from).ok_or_else(missing),
    }
}

/// Starts a successor of this process: the program as it lies there now, with the same words. It asks to take over like any
/// other; where it fails, it says why, and this process goes on.
pub(super) fn start_successor() -> io::Result<()> {
    let mut words = std::env::args_os();
    let program = words.next().ok_or(io::ErrorKind::NotFound)?;
    let words = words.filter(|word| word != TAKEOVER);
    let mut successor =
        Command::new(program).args(words).arg(TAKEOVER).stdin(std::process::Stdio::null()).spawn()?;
    tracing::info!(pid = successor.id(), "a successor was started");
    let waiting = std::thread::Builder::new().name("trunkline-successor".to_owned());
    waiting.spawn(move || match successor.wait() {
        Ok(status) => tracing::warn!(%status, "the successor has ended"),
        Err(error) => tracing::warn!(%error, "the successor is out of sight"),
    })?;
    Ok(())
}

/// It serves.
pub(super) fn ready() {
    notify(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
}

/// It finishes what is under way.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// It reads its configuration again; [`ready`] follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager is not told of a reload"),
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told: {states:?}");
    }
}
