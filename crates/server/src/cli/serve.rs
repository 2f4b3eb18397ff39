//! `trunkline serve`.

use std::process::ExitCode;

use clap::Args;
use trunkline_engine::config::server::Listen;

use super::place::Place;
use crate::boot::{self, Other, ServeOptions};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where callers connect [default: as configured, else 127.0.0.1:4600]
    #[arg(long, value_name = "ADDRESS", env = "TRUNKLINE_LISTEN")]
    listen: Option<Listen>,
    /// Where administrators connect [default: as configured, else 127.0.0.1:4601]
    #[arg(long, value_name = "ADDRESS", env = "TRUNKLINE_ADMIN_LISTEN")]
    admin_listen: Option<Listen>,
    /// Take over from the gateway that serves the data directory, if there is one: it hands over its sockets and what it
    /// counts, finishes what is under way and ends
    #[arg(long)]
    takeover: bool,
}

impl Serve {
    pub(super) fn run(self, place: &Place) -> ExitCode {
        let Self { listen, admin_listen, takeover } = self;
        let other = if takeover { Other::Succeeded } else { Other::Respected };
        let Place { config, data_dir } = place.clone();
        boot::serve(ServeOptions { config, listen, admin_listen, data_dir, other })
    }
}
