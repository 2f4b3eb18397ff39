//! From an address in the configuration to sockets that listen, and from sockets that somebody else has opened.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::net::AddressFamily;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream};
use trunkline_engine::config::server::Listen;
use trunkline_upstream::connect::resolve::{Resolve as _, SystemResolver};

/// Connections the system keeps waiting until they are accepted.
const BACKLOG: u32 = 4_096;

/// Sockets that listen at one configured address.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(super) sockets: Vec<Listening>,
    /// The address as configured, with the port the system chose where it was asked to.
    pub(crate) address: Listen,
    file: Option<SocketFile>,
}

/// One of them.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A second handle on each socket of an address: what is needed to listen there again, here or in another process.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The sockets.
    pub(crate) sockets: Vec<OwnedFd>,
    /// The address.
    pub(crate) address: Listen,
    file: Option<SocketFile>,
}

impl Spare {
    /// Listens there again.
    pub(crate) fn again(&self) -> io::Result<Bound> {
        let sockets = self.sockets.iter().map(|socket| adopt(socket.try_clone()?));
        Ok(Bound { sockets: sockets.collect::<io::Result<_>>()?, address: self.address.clone(), file: None })
    }

    /// What is to become of the sockets' file.
    pub(crate) fn fate(&self) -> Fate {
        self.file.as_ref().map_or(Fate::Kept, |file| file.fate)
    }

    /// Lets go of it, because somebody else listens there now.
    pub(crate) fn leave(mut self) {
        if let Some(file) = &mut self.file {
            file.fate = Fate::Kept;
        }
    }
}

/// A socket's file, removed when nobody listens there any more.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    fate: Fate,
}

/// What becomes of a socket's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It goes with us.
    Removed,
    /// Somebody else looks after it.
    Kept,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.fate == Fate::Removed {
            // Where it is already gone there is nothing to do.
            std::fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

impl Bound {
    /// The one Unix socket there is.
    pub(crate) fn into_unix(self) -> Option<UnixListener> {
        self.sockets.into_iter().find_map(|socket| match socket {
            Listening::Unix(listener) => Some(listener),
            Listening::Tcp(_) => None,
        })
    }
}

/// Why nobody can listen at an address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error("{0} is taken by another program")]
    Taken(Listen),
    #[error("cannot listen on {address}: {source}")]
    Io { address: Listen, source: io::Error },
    #[error("cannot listen on {address}: {reason}")]
    Name { address: Listen, reason: String },
}

impl Bound {
    /// Sockets the service manager has opened, which also removes their files.
    pub(crate) fn given(sockets: Vec<OwnedFd>) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(adopt).collect::<io::Result<Vec<_>>>()?;
        let first = sockets.first().ok_or_else(|| io::Error::other("no socket was passed"))?;
        let address = first.address()?;
        Ok(Self { sockets, address, file: None })
    }

    /// Sockets that the process before has handed over, with the care for their file if it had that.
    pub(crate) fn inherited(sockets: Vec<OwnedFd>, address: Listen, fate: Fate) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(adopt).collect::<io::Result<_>>()?;
        let file = match &address {
            Listen::Unix(path) => Some(SocketFile { path: path.clone(), fate }),
            Listen::Tcp { .. } => None,
        };
        Ok(Self { sockets, address, file })
    }

    /// Second handles, and with them the care for the sockets' file.
    pub(crate) fn spare(&mut self) -> io::Result<Spare> {
        let sockets = self.sockets.iter().map(|socket| match socket {
            Listening::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Listening::Unix(listener) => listener.as_fd().try_clone_to_owned(),
        });
        let sockets = sockets.collect::<io::Result<_>>()?;
        Ok(Spare { sockets, address: self.address.clone(), file: self.file.take() })
    }
}

impl Listening {
    fn address(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => {
                let address = listener.local_addr()?;
                Ok(Listen::Tcp { host: address.ip().to_string(), port: address.port() })
            }
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                let path =
                    address.as_pathname().ok_or_else(|| io::Error::other("a socket without a path"))?;
                Ok(Listen::Unix(path.to_owned()))
            }
        }
    }
}

/// Watches a socket that listens already.
fn adopt(socket: OwnedFd) -> io::Result<Listening> {
    if rustix::net::sockopt::socket_domain(&socket)? == AddressFamily::UNIX {
        let listener = std::os::unix::net::UnixListener::from(socket);
        listener.set_nonblocking(true)?;
        return UnixListener::from_std(listener).map(Listening::Unix);
    }
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(Listening::Tcp)
}

/// Listens. A name is every address it has: `localhost` is IPv4 and IPv6; of several, one is enough.
pub(crate) async fn bind(listen: &Listen) -> Result<Bound, BindError> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::AddrInUse {
            return BindError::Taken(listen.clone());
        }
        BindError::Io { address: listen.clone(), source }
    };
    match listen {
        Listen::Unix(path) => {
            let (listener, file) = unix(path).await.map_err(failed)?;
            let sockets = vec![Listening::Unix(listener)];
            Ok(Bound { sockets, address: listen.clone(), file: Some(file) })
        }
        Listen::Tcp { host, port } => {
            let addresses = addresses(host)
                .await
                .map_err(|reason| BindError::Name { address: listen.clone(), reason })?;
            let (sockets, port) = tcp(&addresses, *port).map_err(failed)?;
            Ok(Bound { sockets, address: Listen::Tcp { host: host.clone(), port }, file: None })
        }
    }
}

async fn addresses(host: &str) -> Result<Vec<IpAddr>, String> {
    match host.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => SystemResolver::default().resolve(host).await.map_err(|error| error.to_string()),
    }
}

/// All addresses share a port: the one asked for, or the one the system chose for the first.
fn tcp(addresses: &[IpAddr], mut port: u16) -> io::Result<(Vec<Listening>, u16)> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for address in addresses {
        match tcp_one(SocketAddr::new(*address, port)) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                sockets.push(Listening::Tcp(listener));
            }
            // A machine without IPv6 still has a `localhost`.
            Err(error) if addresses.len() > 1 && error.kind() != io::ErrorKind::AddrInUse => {
                tracing::debug!(%address, %error, "not listening there");
            }
            Err(error) => return Err(error),
        }
    }
    if sockets.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "none of its addresses is this machine's",
        ));
    }
    Ok((sockets, port))
}

fn tcp_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if address.is_ipv6() && address.ip().is_unspecified() {
        // `[::]` means every address, of both families.
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket file that nobody answers at is what a killed process left; one that is answered at is taken. Only its
/// owner may connect.
async fn unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match UnixStream::connect(path).await {
            Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            _ => return Err(error),
        },
        bound => bound?,
    };
    let file = SocketFile { path: path.to_owned(), fate: Fate::Removed };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, file))
}
