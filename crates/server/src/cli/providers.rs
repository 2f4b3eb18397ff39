//! `trunkline providers`: who can be configured, and how far each is proven.

use clap::Args;

use super::control::Control;
use super::failure::Failure;
use super::gateway::Gateway;
use super::output::Column::{Figures, Name, Words};
use super::output::{self, Sheet, Text, Tone, thousands};
use super::place::Place;
use super::world::World;
use crate::admin::providers::{ProviderLine, ProviderList, list};

#[derive(Debug, Args)]
pub(super) struct Providers {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Providers {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let list = if let Some(control) = Control::find(&place.data_dir()?).await? {
            Gateway::Running(control).get("/providers").await?
        } else {
            let world = World::look(place).await?;
            list(&world.snapshot, &world.catalogue)
        };
        if self.json {
            output::json(&list);
        } else {
            show(&list);
        }
        Ok(())
    }
}

fn show(list: &ProviderList) {
    let mut sheet = Sheet::new(&[
        Name(""),
        Name("ID"),
        Words("NAME"),
        Name("STATE"),
        Figures("MODELS"),
        Name("KEY FROM"),
        Words("ACCOUNTS"),
    ]);
    for provider in &list.providers {
        let state = if provider.proof == "proven" { Tone::Good } else { Tone::Warning };
        let there = !provider.accounts.is_empty();
        sheet.row(vec![
            if there { Text::new("●", Tone::Good) } else { Text::from("") },
            Text::from(&*provider.id),
            Text::from(&*provider.name),
            Text::new(&*provider.proof, state),
            thousands(u64::from(provider.models)).into(),
            Text::new(key_from(provider), Tone::Faint),
            provider.accounts.join(" ").into(),
        ]);
    }
    sheet.print();
    let proven = list.providers.iter().filter(|provider| provider.proof == "proven").count();
    output::hint("");
    output::hint(&format!(
        "{proven} proven by documented answers, {} unverified: by their own word or an SDK alone; ● there are accounts",
        list.providers.len() - proven
    ));
}

fn key_from(provider: &ProviderLine) -> String {
    match provider.env.first() {
        Some(name) => name.clone(),
        None => "–".to_owned(),
    }
}
