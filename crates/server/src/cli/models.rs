//! `trunkline models`: what can be used and what it costs; with a filter, out of the whole catalogue.

use clap::Args;

use super::control::Control;
use super::failure::Failure;
use super::gateway::{Gateway, query};
use super::output::Column::{Figures, Name, Words};
use super::output::{self, Sheet, Text, Tone, thousands, tokens};
use super::place::Place;
use super::world::World;
use crate::admin::models::{Filter, ModelLine, ModelList, PriceFilter, Reach, Review, list};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Models {
    /// The models of one provider
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Models whose names hold all these words
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Models that cost nothing
    #[arg(long, conflicts_with = "unpriced")]
    free: bool,
    /// Models whose price nobody knows
    #[arg(long)]
    unpriced: bool,
    /// Models whose price the sources disagree on; the newest stands
    #[arg(long)]
    review: bool,
    /// The whole catalogue, not only what can be used now
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Models {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let filter = self.filter();
        let models = match Control::find(&place.data_dir()?).await? {
            Some(control) => ask(&Gateway::Running(control), &filter).await?,
            None => look(place, &filter).await?,
        };
        if self.json {
            output::json(&models);
        } else if models.models.is_empty() {
            output::line("no such model: `trunkline models --all` lists the whole catalogue");
        } else {
            show(&models.models, filter.reach);
        }
        Ok(())
    }

    /// Whoever looks for something looks for it in everything that is known.
    fn filter(&self) -> Filter {
        let price = match (self.free, self.unpriced) {
            (true, _) => Some(PriceFilter::Free),
            (_, true) => Some(PriceFilter::Unpriced),
            _ => None,
        };
        let review = if self.review { Review::Disputed } else { Review::Any };
        let filter = Filter {
            provider: self.provider.clone(),
            search: self.search.clone(),
            price,
            review,
            reach: Reach::Usable,
        };
        let reach = if self.all || !filter.is_empty() { Reach::Catalogue } else { Reach::Usable };
        Filter { reach, ..filter }
    }
}

async fn ask(gateway: &Gateway, filter: &Filter) -> Result<ModelList, Failure> {
    let yes = |wanted: bool| wanted.then(|| "true".to_owned());
    let parameters = query(&[
        ("provider", filter.provider.clone()),
        ("search", filter.search.clone()),
        ("free", yes(filter.price == Some(PriceFilter::Free))),
        ("unpriced", yes(filter.price == Some(PriceFilter::Unpriced))),
        ("review", yes(filter.review == Review::Disputed)),
        ("catalogue", yes(filter.reach == Reach::Catalogue)),
    ]);
    gateway.get(&format!("/models{parameters}")).await
}

async fn look(place: &Place, filter: &Filter) -> Result<ModelList, Failure> {
    let world = World::look(place).await?;
    let now = jiff::Timestamp::now().into();
    list(&world.snapshot, &world.catalogue, filter, now).map_err(|error| Failure::new(error.to_string()))
}

fn show(models: &[ModelLine], reach: Reach) {
    let mut sheet = Sheet::new(&[
        Name(""),
        Name("MODEL"),
        Name("PROVIDER"),
        Figures("CONTEXT"),
        Figures("$/M IN"),
        Figures("$/M OUT"),
        Words("NOTE"),
    ]);
    let (mut shown, mut usable_shown) = (0_u64, 0_u64);
    let together = |a: &ModelLine, b: &ModelLine| a.model == b.model && a.provider == b.provider;
    let groups = models.chunk_by(together);
    for (model, ids) in
        groups.filter_map(|group| Some((group.iter().max_by_key(|line| worth(line))?, group.len())))
    {
        let usable = !model.usable_as.is_empty();
        shown += 1;
        usable_shown += u64::from(usable);
        let tone = if usable { Tone::Plain } else { Tone::Faint };
        let price = |price: &Option<String>| Text::new(price.as_deref().unwrap_or("?"), tone);
        sheet.row(vec![
            if usable { Text::new("●", Tone::Good) } else { Text::from("") },
            Text::new(&*model.model, tone),
            Text::new(&*model.provider, tone),
            Text::new(tokens(model.context_window), tone),
            price(&model.input_usd_per_million),
            price(&model.output_usd_per_million),
            Text::new(note(model, ids), Tone::Warning),
        ]);
    }
    sheet.print();
    output::hint("");
    let all = thousands(shown);
    output::hint(&match reach {
        Reach::Usable => format!("{all} models can be used; --all lists the whole catalogue"),
        Reach::Catalogue => format!("{all} models, {} of them can be used now (●)", thousands(usable_shown)),
    });
}

/// Of several ids for a model at a provider, the one that stands for all: usable, current, priced.
fn worth(line: &ModelLine) -> (bool, bool, bool) {
    (!line.usable_as.is_empty(), line.status == "current", line.input_usd_per_million.is_some())
}

fn note(model: &ModelLine, ids: usize) -> String {
    let mut notes = Vec::new();
    if ids > 1 {
        notes.push(format!("{ids} ids"));
    }
    if let Some(fee) = &model.request_usd {
        notes.push(format!("${fee} a request"));
    }
    if model.kind != "chat" {
        notes.push(model.kind.clone());
    }
    if model.status != "current" {
        notes.push(model.status.clone());
    }
    if model.state != "listed" {
        notes.push(model.state.clone());
    }
    if model.review {
        notes.push("price disputed".to_owned());
    }
    notes.join(", ")
}
