//! Providers' own listings of their models: free to read, read hourly, and once more when somebody asks for a model
//! of an account that nobody has seen yet.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use trunkline_domain::{Text, UpstreamModel};
use trunkline_providers::spec::{Listing, ListingShape};
use trunkline_upstream::auth::access::Grant;
use trunkline_upstream::auth::lease::AccessError;
use trunkline_upstream::fetch::{BODY_MAX, Fetch, fetch};

use crate::snapshot::Account;

/// The most models taken from one listing.
const MODELS_MAX: usize = 4_096;
/// The longest id taken, in bytes.
const ID_BYTES_MAX: usize = 256;

/// Why a listing could not be read: for the log.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The provider has none.
    #[error("the provider has no listing of its models")]
    NoListing,
    /// There is no credential to ask with.
    #[error("{0}")]
    Access(#[from] AccessError),
    /// It could not be fetched.
    #[error("{0}")]
    Fetch(#[from] trunkline_upstream::dispatch::DispatchError),
    /// It answered with another status than success.
    #[error("the listing was answered with status {0}")]
    Status(u16),
    /// It is not in the shape its documentation says.
    #[error("the listing is not in the documented shape: {0}")]
    Shape(#[from] serde_json::Error),
}

/// The ids an account's provider lists, in its order; ids that could not stand in a path or a log are left out.
pub async fn read(account: &Account, deadline: Duration) -> Result<Vec<Text>, ListingError> {
    let listing = account.provider.listing.ok_or(ListingError::NoListing)?;
    let credential = account.credentials.first().ok_or(ListingError::NoListing)?;
    // A cloud's listings are read with a token; none here is read with a signature.
    let authorization = match credential.access.grant().await? {
        Grant::Open | Grant::Signature(..) => None,
        Grant::Header(name, value) => Some((name, value)),
    };
    let response = fetch(
        &*account.dispatch,
        Fetch {
            method: http::Method::GET,
            origin: Arc::clone(&credential.origin),
            path: listing.path.to_owned(),
            headers: account.provider.adapter.listing_headers(),
            authorization,
            deadline,
            body_max: BODY_MAX,
        },
    )
    .await?;
    if response.status != 200 {
        return Err(ListingError::Status(response.status));
    }
    parse(listing, &response.body)
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

#[derive(Deserialize)]
struct Data {
    data: Vec<Entry>,
}

fn parse(listing: Listing, body: &[u8]) -> Result<Vec<Text>, ListingError> {
    let entries = match listing.shape {
        ListingShape::Data => serde_json::from_slice::<Data>(body)?.data,
        ListingShape::Bare => serde_json::from_slice::<Vec<Entry>>(body)?,
    };
    let usable =
        |entry: &Entry| entry.id.len() <= ID_BYTES_MAX && UpstreamModel::from(&*entry.id).is_path_safe();
    Ok(entries.into_iter().filter(usable).take(MODELS_MAX).map(|entry| Text::from(entry.id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_either_shape_and_strange_ones_left_out() {
        let data = Listing { path: "/models", shape: ListingShape::Data };
        let body =
            br#"{"object":"list","data":[{"id":"gpt-5","owned_by":"x"},{"id":"../etc"},{"id":"a b"}]}"#;
        assert_eq!(parse(data, body).unwrap(), ["gpt-5".into()]);
        let bare = Listing { path: "/models", shape: ListingShape::Bare };
        assert_eq!(parse(bare, br#"[{"id":"meta/llama"}]"#).unwrap(), ["meta/llama".into()]);
        assert!(matches!(parse(bare, b"<html>"), Err(ListingError::Shape(_))));
    }
}
