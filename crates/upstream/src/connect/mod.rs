//! From an origin to an open connection: name, address, TCP, proxy, TLS. What it is not: a pool, or HTTP.

pub mod allow;
mod happy;
pub mod proxy;
pub mod resolve;
pub mod tls;
mod transport;
mod tunnel;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpStream;
use trunkline_domain::attempt::Cause;

use self::allow::DenyList;
use self::resolve::Resolve;
use self::tls::RootStore;
pub(crate) use self::transport::Transport;
pub(crate) use self::tunnel::authorization;
use crate::cause::failed;
use crate::dispatch::DispatchError;
use crate::origin::{Origin, Scheme};

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// An open connection.
pub(crate) struct Connected {
    pub(crate) transport: Transport,
    pub(crate) protocol: Protocol,
    /// The peer's address: the proxy's, where one is used.
    pub(crate) address: SocketAddr,
}

/// Opens connections. The caller holds the deadline.
pub(crate) struct Connector {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) deny: DenyList,
    /// For origins without their own.
    pub(crate) roots: Arc<RootStore>,
}

impl Connector {
    pub(crate) async fn connect(&self, origin: &Origin) -> Result<Connected, DispatchError> {
        let secure = match origin.scheme() {
            Scheme::Http => false,
            Scheme::Https => true,
            Scheme::InProcess => {
                return Err(failed(Cause::Internal, format!("{origin} is not reached over a network")));
            }
        };
        let (stream, address) = match origin.proxy() {
            None => self.dial(origin.host(), origin.literal(), origin.port()).await?,
            Some(proxy) => {
                let (stream, address) =
                    self.dial(proxy.host(), proxy.host().parse().ok(), proxy.port()).await?;
                let stream = if secure { tunnel::open(stream, proxy, origin).await? } else { stream };
                (stream, address)
            }
        };
        if !secure {
            return Ok(Connected { transport: Transport::Plain(stream), protocol: Protocol::Http1, address });
        }
        let roots = origin.roots().unwrap_or(&self.roots);
        let stream = tls::handshake(roots, origin.host(), stream).await?;
        let protocol = if tls::chose_h2(&stream) { Protocol::Http2 } else { Protocol::Http1 };
        Ok(Connected { transport: Transport::Tls(Box::new(stream)), protocol, address })
    }

    async fn dial(
        &self,
        host: &str,
        literal: Option<IpAddr>,
        port: u16,
    ) -> Result<(TcpStream, SocketAddr), DispatchError> {
        let addresses = match literal {
            Some(address) => vec![address],
            None => self.resolve(host).await?,
        };
        let dialled =
            happy::race(happy::interleave(&addresses), |address| dial_one((address, port).into())).await;
        dialled.unwrap_or_else(|| Err(failed(Cause::DnsFailed, format!("{host} has no address"))))
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, DispatchError> {
        let found = self.resolver.resolve(name).await;
        let mut addresses = found.map_err(|error| failed(Cause::DnsFailed, format!("{name}: {error}")))?;
        let before = addresses.len();
        addresses.retain(|address| self.deny.allows(*address));
        if addresses.is_empty() && before > 0 {
            let message =
                format!("{name} resolves to a link-local or metadata address, which is not connected to");
            return Err(failed(Cause::ConnectFailed, message));
        }
        Ok(addresses)
    }
}

async fn dial_one(address: SocketAddr) -> Result<(TcpStream, SocketAddr), DispatchError> {
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok((stream, address))
    };
    connected
        .await
        .map_err(|error: std::io::Error| failed(Cause::ConnectFailed, format!("{address}: {error}")))
}
