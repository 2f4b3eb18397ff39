//! nginx as a plain reverse proxy: what forwarding alone costs on this machine.
//!
//! Directives: nginx.org, modules ngx_http_proxy_module and ngx_http_upstream_module.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::child::{Server, free_address};
use crate::error::{Context as _, Result};
use crate::load::Target;

/// A running nginx.
#[derive(Debug)]
pub(super) struct Nginx {
    pub(super) server: Server,
    pub(super) target: Target,
    pub(super) ready_after: Duration,
    /// Its configuration, as it was started.
    pub(super) configuration: String,
}

impl Nginx {
    pub(super) async fn start(program: &Path, upstream: SocketAddr, directory: &Path) -> Result<Self> {
        let address = free_address()?;
        let home = directory.join("nginx");
        std::fs::create_dir_all(&home).context(|| format!("cannot make {}", home.display()))?;
        let configuration = configuration(address, upstream);
        let file = home.join("nginx.conf");
        std::fs::write(&file, &configuration).context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command.arg("-p").arg(&home).arg("-c").arg(&file);
        let mut server = Server::start("nginx", &mut command, directory)?;
        let ready_after = server.ready(address, "/v1/models", Duration::from_secs(10)).await?;
        Ok(Self { server, target: Target { address, authorization: None }, ready_after, configuration })
    }
}

fn configuration(address: SocketAddr, upstream: SocketAddr) -> String {
    // As root, workers would be of another user, who may not enter the directory.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    format!(
        "daemon off;
{user}worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_max_body_size 32m;
  client_body_buffer_size 1m;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream provider {{
    server {upstream};
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  server {{
    listen {address};
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffering off;
    }}
  }}
}}
"
    )
}
