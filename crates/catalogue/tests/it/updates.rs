//! Signed bundles and what they change.

use jiff::civil::date;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use trunkline_catalogue::diff::{CatalogueDiff, diff};
use trunkline_catalogue::format::{Content, ProviderContent, encode};
use trunkline_catalogue::update::{InvalidKey, PublicKey, UpdateError, public_key, sign, verify};
use trunkline_catalogue::{Catalogue, CatalogueError, Fees, Offer, PriceList, Rates, SANDBOX};
use trunkline_domain::{ModelName, PricePerMillion, Text, UnixMs, UpstreamModel};

fn key() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
}

fn offer(id: &str, input: i64, window: u64) -> Offer {
    let template = Catalogue::embedded().unwrap().offers(SANDBOX).unwrap().remove(0);
    Offer {
        upstream_id: UpstreamModel::from(id),
        model: ModelName(Text::from(format!("vendor/{id}"))),
        context_window: Some(window),
        prices: PriceList::flat(Rates::of(PricePerMillion(input), PricePerMillion(1)), Fees::default()),
        ..template
    }
}

fn catalogue(offers: Vec<Offer>) -> Vec<u8> {
    let provider = ProviderContent { id: Text::from("p"), name: Text::from("P"), offers };
    encode(&Content { date: date(2026, 11, 25), providers: vec![provider] }).unwrap()
}

#[test]
fn a_signed_catalogue_comes_back_as_it_was() {
    let (key, bytes) = (key(), catalogue(vec![offer("a", 5, 10_000)]));
    let bundle = sign(&bytes, &key).unwrap();
    let public: PublicKey = public_key(&key).unwrap().to_string().parse().unwrap();
    let verified = verify(&bundle, &[public]).unwrap();
    assert_eq!(verified.bytes(), bytes);
    let mut expected = offer("a", 5, 10_000);
    expected.provider = Text::from("p");
    assert_eq!(verified.offers("p").unwrap(), [expected]);
}

#[test]
fn tampering_and_unknown_keys_are_refused() {
    let (own, other) = (key(), key());
    let bundle = sign(&catalogue(vec![offer("a", 5, 10_000)]), &own).unwrap();
    let (own, other) = (public_key(&own).unwrap(), public_key(&other).unwrap());
    assert_eq!(verify(&bundle, &[other]).unwrap_err(), UpdateError::UnknownKey(own.id()));
    assert_eq!(verify(&bundle, &[]).unwrap_err(), UpdateError::UnknownKey(own.id()));
    for place in 0..bundle.len() {
        let mut tampered = bundle.clone();
        tampered[place] ^= 1;
        let refused = verify(&tampered, &[other, own]).unwrap_err();
        let expected = match place {
            0..8 => matches!(refused, UpdateError::NotABundle),
            8..16 => matches!(refused, UpdateError::UnknownKey(_)),
            _ => matches!(refused, UpdateError::BadSignature),
        };
        assert!(expected, "byte {place}: {refused}");
    }
    for length in [0, 7, 15, 79, bundle.len() - 1] {
        assert!(verify(&bundle[..length], &[own]).is_err(), "{length}");
    }
}

#[test]
fn only_catalogues_are_read_and_signed() {
    let whole = catalogue(vec![offer("a", 5, 10_000)]);
    assert_eq!(Catalogue::from_bytes(b"hello").unwrap_err(), CatalogueError::NotACatalogue);
    for length in 0..whole.len() {
        assert!(Catalogue::from_bytes(&whole[..length]).is_err(), "{length}");
    }
    assert!(sign(b"hello", &key()).is_err());
    for text in ["", "AAAA", "not base64"] {
        assert_eq!(text.parse::<PublicKey>(), Err(InvalidKey), "{text}");
    }
}

#[test]
fn a_difference_names_what_changes() {
    let old = Catalogue::from_bytes(&catalogue(vec![
        offer("same", 5, 10_000),
        offer("gone", 5, 10_000),
        offer("dearer", 5, 10_000),
        offer("cheaper", 5, 10_000),
        offer("longer", 5, 10_000),
    ]));
    let new = Catalogue::from_bytes(&catalogue(vec![
        offer("same", 5, 10_000),
        offer("new", 5, 10_000),
        offer("dearer", 6, 10_000),
        offer("cheaper", 4, 10_000),
        offer("longer", 5, 20_000),
    ]));
    let (old, new) = (old.unwrap(), new.unwrap());
    let changes = diff(&old, &new, UnixMs(0)).unwrap();
    let ids = |ids: Vec<&UpstreamModel>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids(changes.new.iter().map(|key| &key.upstream_id).collect()), ["new"]);
    assert_eq!(ids(changes.gone.iter().map(|key| &key.upstream_id).collect()), ["gone"]);
    assert_eq!(ids(changes.dearer.iter().map(|change| &change.offer.upstream_id).collect()), ["dearer"]);
    assert_eq!(ids(changes.cheaper.iter().map(|change| &change.offer.upstream_id).collect()), ["cheaper"]);
    assert_eq!(changes.dearer[0].figure, "standard input");
    assert_eq!(changes.limits_changed.len(), 1);
    assert_eq!(
        (changes.limits_changed[0].limit, changes.limits_changed[0].after),
        ("context_window", Some(20_000))
    );
    assert_eq!(changes.repriced, []);
    assert_eq!(diff(&old, &old, UnixMs(0)).unwrap(), CatalogueDiff::default());
}
