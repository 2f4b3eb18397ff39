//! LiteLLM's proxy beside the others, where asked: one worker, no database, no retries.
//!
//! Settings: docs.litellm.ai, "Proxy config.yaml" and "Best practices for production".

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use http::HeaderValue;

use super::child::{Server, free_address};
use crate::error::{Context as _, Result};
use crate::load::Target;
use crate::question::{BURST, Provider};

/// Importing it alone takes many seconds.
const READY_DEADLINE: Duration = Duration::from_mins(3);
const KEY: &str = "sk-bench";

/// A running LiteLLM.
#[derive(Debug)]
pub(super) struct LiteLlm {
    pub(super) server: Server,
    pub(super) target: Target,
    pub(super) ready_after: Duration,
    /// Its configuration, as it was started.
    pub(super) configuration: String,
}

impl LiteLlm {
    pub(super) async fn start(program: &Path, upstream: SocketAddr, directory: &Path) -> Result<Self> {
        let address = free_address()?;
        let configuration = configuration(upstream);
        let file = directory.join("litellm.yaml");
        std::fs::write(&file, &configuration).context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--num_workers", "1", "--telemetry", "False"]);
        command.arg("--port").arg(address.port().to_string()).arg("--config").arg(&file);
        command.env("LITELLM_MODE", "PRODUCTION").env("LITELLM_LOG", "ERROR");
        command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("NO_PROXY", "127.0.0.1");
        let mut server = Server::start("litellm", &mut command, directory)?;
        let ready_after = server.ready(address, "/health/liveliness", READY_DEADLINE).await?;
        let authorization = Some(HeaderValue::from_static("Bearer sk-bench"));
        Ok(Self { server, target: Target { address, authorization }, ready_after, configuration })
    }
}

fn configuration(upstream: SocketAddr) -> String {
    let model = |id: &str| {
        format!(
            "  - model_name: bench/{id}
    litellm_params:
      model: openai/{id}
      api_base: http://{upstream}/v1
      api_key: sk-upstream
"
        )
    };
    let id = Provider::Openai.model();
    format!(
        "model_list:
{}{}litellm_settings:
  num_retries: 0
  telemetry: false
general_settings:
  master_key: {KEY}
",
        model(id),
        model(&format!("{id}{BURST}"))
    )
}
