//! Names to deployments: exact route name, then canonical slug, then short alias, then `account/upstream-id`.

use smallvec::{SmallVec, smallvec};
use trunkline_domain::Text;
use trunkline_domain::plan::DeploymentIx;

use crate::world::{OfferTable, Route};

/// Deployments that are equally meant by one name; a fallback to another model starts another tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier<'a> {
    /// The name that led here, as asked or as a route's target.
    pub name: &'a str,
    /// Who serves it.
    pub deployments: SmallVec<[DeploymentIx; 4]>,
}

/// What a list of names leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution<'a> {
    /// In the order in which they are tried.
    pub tiers: Vec<Tier<'a>>,
    /// The route the first name is, if it is one.
    pub route: Option<&'a Route>,
}

/// Resolves names in order. `Err` is the first name nobody knows.
pub fn resolve<'a>(table: &'a OfferTable, names: &[&'a str]) -> Result<Resolution<'a>, &'a str> {
    let mut resolution = Resolution { tiers: Vec::with_capacity(names.len()), route: None };
    for (place, name) in names.iter().enumerate() {
        if let Some(route) = table.routes().get(*name) {
            if place == 0 {
                resolution.route = Some(route);
            }
            let known = route.targets.iter().filter_map(|target| model(table, target));
            resolution.tiers.extend(known.map(|tier| Tier { name, ..tier }));
        } else {
            resolution.tiers.push(model(table, name).ok_or(*name)?);
        }
    }
    Ok(resolution)
}

/// One model by canonical slug, alias or label.
pub(crate) fn model<'a>(table: &'a OfferTable, name: &'a str) -> Option<Tier<'a>> {
    let canonical = |slug: &str| SmallVec::from_slice(table.of_model(slug));
    let mut deployments = canonical(name);
    if deployments.is_empty() {
        deployments = match (table.alias(name), table.labelled(name)) {
            (Some(slug), _) => canonical(slug),
            (None, Some(ix)) => smallvec![ix],
            (None, None) => return None,
        };
    }
    Some(Tier { name, deployments })
}

/// Names like the one nobody knows, best first.
pub fn suggestions(table: &OfferTable, asked: &str) -> Vec<Text> {
    table.all_names().suggest(asked).into_iter().map(|name| name.0).collect()
}
