//! A small world to plan in.

use std::collections::HashMap;

use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{Capabilities, Fees, Modalities, Offer, PriceList, Rates, Status};
use trunkline_domain::chat::Minter;
use trunkline_domain::plan::{Deadlines, RoutePlan};
use trunkline_domain::{Dialect, ModelName, Operation, PricePerMillion, Text, UnixMs, UpstreamModel};
use trunkline_providers::registry;
use trunkline_routing::ask::{Affinity, Budgeted, StateOrigin};
use trunkline_routing::world::{Live, LiveTable, Naming, OfferState, Route, Standing, Unpriced};
use trunkline_routing::{Ask, Deployment, OfferTable, PlanError, World, plan};
use trunkline_wire::codec::Skim;

/// A deployment at an account of the custom provider, priced in dollars per million tokens of input; output costs
/// four times as much.
pub fn deployment(account: &str, upstream: &str, model: &str, input_usd: &str) -> Deployment {
    let input: PricePerMillion = input_usd.parse().unwrap();
    let output = PricePerMillion(input.0 * 4);
    let provider = registry::by_id("custom").unwrap();
    Deployment {
        prefill: None,
        label: Text::from(format!("{account}/{upstream}")),
        account: Text::from(account),
        provider,
        offer: Offer {
            provider: Text::from(provider.catalogue),
            upstream_id: UpstreamModel::from(upstream),
            region: None,
            model: ModelName::from(model),
            display_name: None,
            kind: Kind::Chat,
            completes_text: false,
            other_interface: false,
            context_window: Some(8_000),
            output_max: Some(1_000),
            input: Modalities::default(),
            output: Modalities::default(),
            capabilities: Capabilities::default(),
            prices: PriceList::flat(Rates::of(input, output), Fees::default()),
            status: Status::Current,
            released: None,
            retires: None,
            review: false,
        },
        naming: Naming::Canonical,
        unpriced: Unpriced::Serve,
        priority: 0,
        place: None,
        state: OfferState::Listed,
    }
}

/// A chat request for a model.
pub fn skim(model: &str) -> Skim {
    Skim { model: Text::from(model), choices: 1, messages: 1, text_bytes: 40, ..Skim::default() }
}

/// Deployments, routes and live figures.
#[derive(Default)]
pub struct House {
    pub deployments: Vec<Deployment>,
    pub routes: HashMap<Text, Route>,
    pub standings: Vec<Standing>,
    /// Whole rows, instead of standings.
    pub lives: Vec<Live>,
    pub affinity: Option<Affinity>,
    pub state: Option<(Minter, Text)>,
    pub budgeted: Option<Budgeted>,
}

impl House {
    pub fn of(deployments: impl IntoIterator<Item = Deployment>) -> Self {
        Self { deployments: deployments.into_iter().collect(), ..Self::default() }
    }

    pub fn table(&self) -> OfferTable {
        OfferTable::new(self.deployments.clone(), self.routes.clone())
    }

    pub fn plan(&self, skim: &Skim, seed: u64) -> Result<RoutePlan, PlanError> {
        let table = self.table();
        let standing = |standing: &Standing| Live { standing: *standing, ..Live::default() };
        let rows = if self.lives.is_empty() {
            self.standings.iter().map(standing).collect()
        } else {
            self.lives.clone()
        };
        let live = LiveTable { version: 1, rows };
        let world = World { offers: &table, live: &live, now: UnixMs(0), monotonic_ms: 1_000 };
        plan(
            &world,
            &Ask {
                operation: Operation::Chat,
                dialect: Dialect::OpenaiChat,
                skim,
                scope: &[],
                budgeted: self.budgeted.unwrap_or(Budgeted::No),
                attempts_max: 4,
                total: Deadlines::default().total,
                seed,
                keeper: None,
                affinity: self.affinity,
                state: self.state.as_ref().map(|(minter, deployment)| StateOrigin { minter, deployment }),
            },
        )
    }

    /// Labels in the order in which they would be tried.
    pub fn order(&self, skim: &Skim, seed: u64) -> Vec<String> {
        let plan = self.plan(skim, seed).unwrap();
        let candidates = plan.root.candidates();
        candidates.iter().map(|it| self.deployments[it.deployment.0 as usize].label.to_string()).collect()
    }

    /// Why everybody was left out.
    pub fn reasons(&self, skim: &Skim) -> Vec<trunkline_domain::plan::ExclusionReason> {
        match self.plan(skim, 0) {
            Err(PlanError::NothingLeft { excluded, .. }) => {
                excluded.into_iter().map(|it| it.reason).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}
