//! The fake provider as a process, for black-box and SDK tests:
//!
//! ```text
//! fake-provider '{"key": "sk-fake", "caller": "anyone", "otherwise": [{"end": {"cut": {"pieces": 3}}}]}'
//! ```
//!
//! The one argument is a `Setup` as JSON (`{}` for the default). It listens on a free loopback port and prints one line,
//! `{"port": N, "base_url": "http://127.0.0.1:N/v1"}`, then serves until it is killed.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};

use trunkline_testkit::fake_provider::{FakeProvider, Setup};

#[tokio::main]
async fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned());
    let setup: Setup = serde_json::from_str(&argument)?;
    let server = FakeProvider::new(setup)?.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let mut out = io::stdout();
    writeln!(out, r#"{{"port": {}, "base_url": "{}"}}"#, server.address().port(), server.base_url())?;
    out.flush()?;
    server.run().await;
    Ok(())
}
