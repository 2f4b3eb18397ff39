//! Names to addresses: a resolver in Rust, since a static glibc cannot load the system's.
//!
//! `/etc/hosts` and `/etc/resolv.conf` are read as a system resolver reads them; `localhost` needs neither (RFC 6761
//! §6.3).

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::name_server::TokioConnectionProvider;
use hickory_resolver::proto::xfer::Protocol;

/// At most this many records are kept in memory.
const CACHE_RECORDS_MAX: usize = 4096;

/// What looks names up.
pub trait Resolve: Send + Sync {
    /// The addresses of a name, most preferred first. Not empty on success.
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a>;
}

/// What [`Resolve::resolve`] returns.
pub type ResolveFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, ResolveError>> + Send + 'a>>;

/// The name has no address, or nobody could say.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ResolveError(pub String);

/// The machine's own name resolution.
#[derive(Default)]
pub struct SystemResolver {
    /// Made on first use: a gateway that only speaks to addresses reads no resolver configuration.
    resolver: Mutex<Option<TokioResolver>>,
}

impl SystemResolver {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
        }
        let resolver = self.current().get_or_insert_with(system_resolver).clone();
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => {
                // Nobody answered: the configuration is read again next time, since a laptop changes networks.
                if !error.is_no_records_found() {
                    *self.current() = None;
                }
                Err(ResolveError(error.to_string()))
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<TokioResolver>> {
        self.resolver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a> {
        Box::pin(self.lookup(name))
    }
}

fn system_resolver() -> TokioResolver {
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::info!(%error, "no usable resolver configuration, asking the name server on this machine");
        TokioResolver::builder_with_config(local_name_server(), TokioConnectionProvider::default())
    });
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = CACHE_RECORDS_MAX;
    builder.build()
}

/// resolv.conf(5): without the file, only the name server on the local machine is asked. The resolver's own default
/// would send every name to a public service instead.
fn local_name_server() -> ResolverConfig {
    let address = (Ipv4Addr::LOCALHOST, 53).into();
    let servers =
        vec![NameServerConfig::new(address, Protocol::Udp), NameServerConfig::new(address, Protocol::Tcp)];
    ResolverConfig::from_parts(None, Vec::new(), servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_needs_no_name_server() {
        let resolver = SystemResolver::default();
        let found = resolver.resolve("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && found.len() == 2);
        assert!(resolver.current().is_none());
    }

    #[tokio::test]
    async fn a_name_that_cannot_exist_is_an_error() {
        // RFC 6761 §6.4: resolvers answer this without asking anybody.
        assert!(SystemResolver::default().resolve("provider.invalid").await.is_err());
    }
}
