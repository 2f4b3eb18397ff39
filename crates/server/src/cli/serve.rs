//! `trunkline serve`.

use std::process::ExitCode;

use clap::Args;
use trunkline_engine::config::server::Listen;

use super::place::Place;
use crate::boot::{self, ServeOptions};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where callers connect [default: as configured, else 127.0.0.1:4600]
    #[arg(long, value_name = "ADDRESS", env = "TRUNKLINE_LISTEN")]
    listen: Option<Listen>,
    /// Where administrators connect [default: as configured, else 127.0.0.1:4601]
    #[arg(long, value_name = "ADDRESS", env = "TRUNKLINE_ADMIN_LISTEN")]
    admin_listen: Option<Listen>,
}

impl Serve {
    pub(super) fn run(self, place: &Place) -> ExitCode {
        let Self { listen, admin_listen } = self;
        let Place { config, data_dir } = place.clone();
        boot::serve(ServeOptions { config, listen, admin_listen, data_dir })
    }
}
