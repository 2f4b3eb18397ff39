//! `trunkline init`: a file in which every setting is explained and none is made.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::Args;
use trunkline_engine::config::init::TEMPLATE;

use super::failure::Failure;
use super::output;
use super::place::USUAL_FILE;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The file to write; one that is there is never overwritten
    #[arg(value_name = "FILE", default_value = USUAL_FILE)]
    file: PathBuf,
}

impl Init {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let shown = self.file.display();
        let made = OpenOptions::new().write(true).create_new(true).open(&self.file);
        let written = made.and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
        written.map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                Failure::new(format!("{shown} is there already: name another file, or move it away"))
            } else {
                Failure::new(format!("{shown} cannot be written: {error}"))
            }
        })?;
        output::line(&format!("wrote {shown}: every setting is in it, commented out"));
        output::hint("edit it, then `trunkline check` says whether it is right");
        Ok(())
    }
}
