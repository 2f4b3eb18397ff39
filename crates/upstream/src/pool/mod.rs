//! Connections kept and shared: at most one request at a time on an HTTP/1.1 connection, several HTTP/2 connections an
//! origin with a bounded number of streams each.
//!
//! Nothing is shared between origins, proxies, sets of certificate authorities or pool classes, whatever a certificate
//! would allow. Look first at [`Pools`]; one origin's connections are in `origin`, one exchange in `exchange`.

mod connection;
mod exchange;
mod http1;
mod origin;

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use trunkline_domain::attempt::Cause;

use self::connection::Lease;
use self::origin::{Left, OriginPool};
use crate::cause::failed;
use crate::connect::allow::DenyList;
use crate::connect::resolve::Resolve;
use crate::connect::tls::RootStore;
use crate::connect::{Connector, Protocol};
use crate::dispatch::{Call, Dispatch, DispatchError, DispatchFuture};
use crate::origin::{Identity, Origin};

/// Connections that are opened ahead at the same time; further ones wait their turn.
const WARMING_MAX: usize = 8;
/// Origins that are warmed up at once; of more, the first.
const WARM_ORIGINS_MAX: usize = 256;
/// How long a connection opened ahead may take.
const WARM_DEADLINE: Duration = Duration::from_secs(10);

/// How many connections are kept, and for how long.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// Idle HTTP/1.1 connections kept per origin; the longest unused one goes first.
    pub idle_per_origin: usize,
    /// A connection unused for so long is closed: below the 60 s after which common load balancers do.
    pub idle_timeout: Duration,
    /// An origin called within this time is left with a connection, opened anew where the last one is about to end.
    pub keep_warm: Duration,
    /// Streams on one HTTP/2 connection before another is opened; a lower limit of the server governs.
    pub streams_per_connection: usize,
    /// HTTP/2 connections per origin; beyond it, the least loaded one takes more streams.
    pub connections_per_origin: usize,
    /// An HTTP/2 connection is pinged this often.
    pub ping_interval: Duration,
    /// A ping unanswered for so long ends the connection.
    pub ping_timeout: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            idle_per_origin: 128,
            idle_timeout: Duration::from_secs(55),
            keep_warm: Duration::from_mins(10),
            streams_per_connection: 64,
            connections_per_origin: 64,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// What pools are made of.
pub struct PoolOptions {
    /// Limits.
    pub limits: PoolLimits,
    /// Trusted by origins without their own certificate authorities.
    pub roots: Arc<RootStore>,
    /// What looks names up.
    pub resolver: Arc<dyn Resolve>,
    /// Where no name may lead.
    pub deny: DenyList,
}

/// The connections of this process to every origin.
pub struct Pools(Arc<Shared>);

struct Shared {
    connector: Connector,
    limits: PoolLimits,
    warming: Semaphore,
    /// As many as the configuration has; those of origins no longer called are dropped by the sweep.
    origins: papaya::HashMap<Identity, Arc<OriginPool>>,
}

impl Pools {
    /// Empty pools, and the task that closes what stays unused. Must be called inside a tokio runtime.
    pub fn new(options: PoolOptions) -> Self {
        let PoolOptions { limits, roots, resolver, deny } = options;
        let connector = Connector { resolver, deny, roots };
        let warming = Semaphore::new(WARMING_MAX);
        let shared = Arc::new(Shared { connector, limits, warming, origins: papaya::HashMap::new() });
        tokio::spawn(sweep(Arc::downgrade(&shared), shared.limits.idle_timeout));
        Self(shared)
    }

    /// Opens a connection (TCP, TLS, no request) unless one is there. Best effort: an error is for the log.
    pub async fn warm(&self, origin: &Arc<Origin>, deadline: Duration) -> Result<(), DispatchError> {
        self.0.warm(origin, deadline).await
    }
}

impl Dispatch for Pools {
    fn dispatch(&self, call: Call) -> DispatchFuture<'_> {
        Box::pin(exchange::run(&self.0, call))
    }

    fn warm_up(&self, origins: &[Arc<Origin>]) {
        for origin in origins.iter().take(WARM_ORIGINS_MAX) {
            let (shared, origin) = (Arc::clone(&self.0), Arc::clone(origin));
            tokio::spawn(async move {
                let Ok(_turn) = shared.warming.acquire().await else { return };
                if let Err(error) = shared.warm(&origin, WARM_DEADLINE).await {
                    tracing::debug!(%origin, %error, "no connection ahead");
                }
            });
        }
    }
}

impl Shared {
    async fn warm(self: &Arc<Self>, origin: &Arc<Origin>, deadline: Duration) -> Result<(), DispatchError> {
        let pool = self.pool(origin);
        let lease = self.lease(origin, &pool, deadline).await?;
        lease.give_back(&pool);
        Ok(())
    }

    fn pool(&self, origin: &Arc<Origin>) -> Arc<OriginPool> {
        let pools = self.origins.pin();
        if let Some(pool) = pools.get(origin.identity()) {
            return Arc::clone(pool);
        }
        let fresh = || Arc::new(OriginPool::new(Arc::clone(origin), self.limits.clone()));
        Arc::clone(pools.get_or_insert_with(origin.identity().clone(), fresh))
    }

    /// A connection with room for one exchange.
    async fn lease(
        self: &Arc<Self>,
        origin: &Arc<Origin>,
        pool: &Arc<OriginPool>,
        connect_timeout: Duration,
    ) -> Result<Lease, DispatchError> {
        if let Some(lease) = pool.checkout() {
            if lease.is_borrowed() && pool.borrowed() {
                let (shared, origin, pool) = (Arc::clone(self), Arc::clone(origin), Arc::clone(pool));
                tokio::spawn(async move { shared.add(&origin, &pool, connect_timeout).await });
            }
            return Ok(lease);
        }
        timeout(connect_timeout, self.open(origin, pool)).await.map_err(|_| {
            failed(
                Cause::ConnectTimeout,
                format!("no connection to {origin} within {} ms", connect_timeout.as_millis()),
            )
        })?
    }

    /// Opens one more connection for later. Best effort.
    async fn add(&self, origin: &Origin, pool: &OriginPool, connect_timeout: Duration) {
        match timeout(connect_timeout, self.connect(origin, pool)).await {
            Ok(Ok(lease)) => lease.give_back(pool),
            Ok(Err(error)) => tracing::debug!(%origin, %error, "no further connection"),
            Err(_) => tracing::debug!(%origin, "no further connection in time"),
        }
    }

    /// Opens a connection. Where HTTP/2 may be negotiated one is opened at a time, and those who waited look again
    /// first: a burst at a cold origin shares connections instead of opening one each.
    async fn open(&self, origin: &Origin, pool: &Arc<OriginPool>) -> Result<Lease, DispatchError> {
        if pool.speaks() != Some(Protocol::Http1) {
            let turn = pool.opening.lock().await;
            if let Some(lease) = pool.checkout() {
                return Ok(lease);
            }
            if pool.speaks() != Some(Protocol::Http1) {
                let lease = self.connect(origin, pool).await;
                drop(turn);
                return lease;
            }
        }
        self.connect(origin, pool).await
    }

    async fn connect(&self, origin: &Origin, pool: &OriginPool) -> Result<Lease, DispatchError> {
        let connected = self.connector.connect(origin).await?;
        tracing::debug!(%origin, address = %connected.address, protocol = ?connected.protocol, "connected");
        match connected.protocol {
            Protocol::Http1 => {
                pool.learn(Protocol::Http1);
                Ok(Lease::Http1(http1::Connection::new(connected)))
            }
            Protocol::Http2 => {
                let connection = connection::http2(connected, &self.limits).await?;
                Ok(pool.share(connection))
            }
        }
    }
}

/// Closes what stayed unused, renews the last connection to an origin that was called lately, and forgets origins without
/// one, until the pools are gone.
async fn sweep(shared: Weak<Shared>, idle_timeout: Duration) {
    let period = (idle_timeout / 2).max(Duration::from_millis(100));
    loop {
        tokio::time::sleep(period).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut ending = Vec::new();
        shared.origins.pin().retain(|_, pool| {
            let left = pool.sweep(period);
            if left == Left::Ending {
                ending.push(Arc::clone(pool));
            }
            left != Left::Nothing || Arc::strong_count(pool) > 1
        });
        for pool in ending {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let Ok(_turn) = shared.warming.acquire().await else { return };
                shared.add(pool.origin(), &pool, WARM_DEADLINE).await;
            });
        }
    }
}
