//! Who may go on with an answer that broke off.

use trunkline_domain::plan::{AttemptLimits, Candidate, CauseSet, DeploymentIx, RoutePlan, Step, Timeouts};
use trunkline_domain::{Dialect, NanoUsd, UnixMs};
use trunkline_providers::spec::{Prefill, PrefillMark};
use trunkline_routing::OfferTable;
use trunkline_routing::ask::Budgeted;
use trunkline_routing::resume::{Rest, continuations};
use trunkline_wire::codec::{OutputMax, Skim};

use crate::house::deployment;

/// Three deployments of one model and one of another; all but the third go on with an answer.
fn offers() -> OfferTable {
    let mut all = vec![
        deployment("east", "m-1", "acme/m", "1"),
        deployment("other", "o-1", "acme/o", "1"),
        deployment("mute", "m-2", "acme/m", "1"),
        deployment("west", "m-3", "acme/m", "1"),
    ];
    for able in all.iter_mut().filter(|deployment| &*deployment.account != "mute") {
        able.prefill = Some(Prefill::chat(PrefillMark::LastMessage));
    }
    OfferTable::new(all, std::collections::HashMap::new())
}

fn plan(order: &[u32]) -> RoutePlan {
    let step = |ix: &u32| Step::Try(Candidate { deployment: DeploymentIx(*ix), bound: NanoUsd(1) });
    RoutePlan {
        root: Step::InOrder { steps: order.iter().map(step).collect(), on: CauseSet::failover() },
        limits: AttemptLimits {
            attempts_max: 4,
            total: std::time::Duration::from_mins(1),
            content_budget: None,
            timeouts: Timeouts::default(),
        },
        excluded: Vec::new(),
        affinity: None,
        world_version: 1,
        seed: 1,
    }
}

fn asked(order: &[u32], broken: &[u32], text_bytes: u64) -> Vec<(u32, NanoUsd)> {
    let skim = Skim {
        text_bytes,
        output_max: Some(OutputMax { field: "max_tokens", tokens: 10 }),
        choices: 1,
        ..Skim::default()
    };
    let broken: Vec<_> = broken.iter().map(|ix| DeploymentIx(*ix)).collect();
    let (dialect, budgeted, now) = (Dialect::OpenaiChat, Budgeted::Yes, UnixMs(0));
    let rest = Rest { dialect, skim: &skim, broken: &broken, budgeted, now };
    let found = continuations(&offers(), &plan(order), &rest);
    found.iter().map(|candidate| (candidate.deployment.0, candidate.bound)).collect()
}

#[test]
fn others_of_the_same_model_come_first_and_whoever_broke_off_or_cannot_go_on_is_left_out() {
    let order = |order, broken| asked(order, broken, 100).iter().map(|(ix, _)| *ix).collect::<Vec<_>>();
    assert_eq!(order(&[0, 1, 2, 3], &[0]), [3, 1]);
    assert_eq!(order(&[0, 1, 2, 3, 3], &[0, 3]), [1], "each once, and none that broke off");
    assert_eq!(order(&[0, 2], &[0]), Vec::<u32>::new());
}

#[test]
fn the_bound_is_that_of_the_longer_prompt() {
    let (short, long) = (asked(&[0, 3], &[0], 100), asked(&[0, 3], &[0], 10_000));
    assert!(short[0].1 < long[0].1 && short[0].1 > NanoUsd(1), "{short:?} {long:?}");
}
