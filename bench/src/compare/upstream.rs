//! The mock upstream as a process of its own, so that its work is nobody else's.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::child::{Server, free_address};
use crate::error::{Context as _, Error, Result};
use crate::load::{Target, get};
use crate::mock::{Ends, Served};

/// The running mock.
#[derive(Debug)]
pub(super) struct Upstream {
    address: SocketAddr,
    // Held so that it runs.
    _server: Server,
}

impl Upstream {
    pub(super) async fn start(directory: &Path) -> Result<Self> {
        let address = free_address()?;
        let program = std::env::current_exe().context(|| "this program cannot find itself".to_owned())?;
        let mut command = Command::new(program);
        command.arg("mock-upstream").arg("--port").arg(address.port().to_string());
        let mut server = Server::start("mock-upstream", &mut command, directory)?;
        server.ready(address, "/served", Duration::from_secs(10)).await?;
        Ok(Self { address, _server: server })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asking it without anything between.
    pub(super) fn target(&self) -> Target {
        Target { address: self.address, authorization: None }
    }

    /// Chat requests answered or refused so far.
    pub(super) async fn served(&self) -> Result<u64> {
        self.says::<Served>("/served").await.map(Served::total)
    }

    /// How the losers of hedges ended since that was last asked.
    pub(super) async fn hedges(&self) -> Result<Ends> {
        self.says("/hedges").await
    }

    async fn says<T: DeserializeOwned>(&self, path: &'static str) -> Result<T> {
        let (_, body) = get(self.address, path).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::Unexpected(format!("the upstream's {path} cannot be read: {error}")))
    }
}
