//! Frames: what is written is read back, what is not whole is not read, and nothing passes its largest size.

#![cfg(not(loom))]

use proptest::prelude::*;
use trunkline_domain::NanoUsd;
use trunkline_domain::resume::Seam;

use super::*;
use crate::samples;

fn read(bytes: &[u8]) -> Record {
    match parse(bytes) {
        Parsed::Record(record, length) if length == bytes.len() => record,
        other @ (Parsed::Record(..) | Parsed::Unknown(_) | Parsed::Empty | Parsed::Torn) => {
            panic!("{other:?}")
        }
    }
}

#[test]
fn records_read_back() {
    let opening = samples::opening(9, 2);
    let mut bytes = Vec::new();
    append_opened(&mut bytes, &opening).unwrap();
    assert!(matches!(read(&bytes), Record::Opened(back) if *back == opening));
    bytes.clear();
    append_settled(&mut bytes, opening.id, &samples::settlement(5)).unwrap();
    assert!(
        matches!(read(&bytes), Record::Settled(id, back) if id == opening.id && *back == samples::settlement(5))
    );
    bytes.clear();
    append_request(&mut bytes, &samples::request(9)).unwrap();
    assert!(matches!(read(&bytes), Record::Request(back) if *back == samples::request(9)));
}

#[test]
fn no_part_of_a_record_is_a_record_and_no_changed_one_either() {
    let mut bytes = Vec::new();
    append_request(&mut bytes, &samples::request(1)).unwrap();
    for cut in 1..bytes.len() {
        let mut torn = bytes.clone();
        torn[cut..].fill(0);
        let same = torn == bytes;
        assert!(same || matches!(parse(&torn), Parsed::Torn), "cut at {cut}");
        assert!(matches!(parse(&bytes[..cut]), Parsed::Torn), "ends at {cut}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(matches!(parse(&changed), Parsed::Torn), "changed at {at}");
    }
    assert!(matches!(parse(&[0; 64]), Parsed::Empty));
}

#[test]
fn a_kind_of_a_later_version_is_passed_over_whole() {
    let mut bytes = Vec::new();
    append_request(&mut bytes, &samples::request(1)).unwrap();
    bytes[8] = 99;
    let checksum = crc32fast::hash(&bytes[8..]).to_le_bytes();
    bytes[4..8].copy_from_slice(&checksum);
    assert!(matches!(parse(&bytes), Parsed::Unknown(length) if length == bytes.len()));
}

proptest! {
    #[test]
    fn any_record_fits_with_its_ids_and_money(
        texts in prop::collection::vec((prop::sample::select(vec!["\u{1}", "a", "é", "\""]), 0..600_usize), 10),
        tags in prop::collection::vec(0..80_usize, 0..60),
        charge in any::<i64>(),
        tokens in any::<u64>(),
    ) {
        let text = |index: usize| Text::from(texts[index].0.repeat(texts[index].1));
        let mut opening = samples::opening(u128::MAX, 255);
        opening.payer.tags = tags.iter().map(|tag| Text::from("é\n".repeat(*tag))).collect();
        opening.payer.end_user = Some(text(0));
        opening.payer.session = Some(text(1));
        opening.payer.experiment = Some(text(2));
        opening.payer.variant = Some(text(3));
        (opening.model_asked, opening.model) = (ModelName(text(4)), ModelName(text(5)));
        (opening.provider, opening.account, opening.credential) = (text(6), text(7), text(8));
        (opening.upstream_model, opening.place) = (UpstreamModel(text(9)), Some(text(0)));
        opening.bound = NanoUsd(charge);
        let mut bytes = Vec::new();
        prop_assert!(append_opened(&mut bytes, &opening).unwrap() <= OPENED_BYTES_MAX);
        let Record::Opened(back) = read(&bytes) else { panic!("another kind") };
        prop_assert_eq!((back.id, back.bound, &back.payer.key), (opening.id, opening.bound, &opening.payer.key));

        let mut end = samples::settlement(charge);
        end.usage = trunkline_domain::Usage { input_tokens: tokens, output_tokens: tokens, ..end.usage };
        (end.model_served, end.upstream_id, end.finish) = (Some(UpstreamModel(text(1))), Some(text(2)), Some(text(3)));
        bytes.clear();
        prop_assert!(append_settled(&mut bytes, opening.id, &end).unwrap() <= SETTLED_BYTES_MAX);
        let Record::Settled(_, back) = read(&bytes) else { panic!("another kind") };
        prop_assert_eq!((back.charge, back.usage), (end.charge, end.usage));

        let mut record = samples::request(u128::MAX);
        (record.payer, record.losses) = (Some(opening.payer.clone()), opening.payer.tags.clone());
        (record.client_request_id, record.error) = (Some(text(4)), Some(text(5)));
        // As many as a request can have attempts after its first, in the longest text that is gone on with.
        record.seams = vec![Seam { attempt: 16, at_bytes: 1 << 20, overlap_bytes: 256 }; 15];
        bytes.clear();
        prop_assert!(append_request(&mut bytes, &record).unwrap() <= REQUEST_BYTES_MAX);
    }
}

#[test]
fn the_dearest_numbers_fit_too() {
    let most = u64::MAX;
    let mut end = samples::settlement(i64::MIN);
    end.overrun = NanoUsd(i64::MIN);
    end.usage.units = trunkline_domain::usage::Units {
        searches: u32::MAX,
        images: u32::MAX,
        pages: u32::MAX,
        seconds: u32::MAX,
    };
    let usage = &mut end.usage;
    for count in [
        &mut usage.input_tokens,
        &mut usage.cache_read_tokens,
        &mut usage.cache_write_5m_tokens,
        &mut usage.cache_write_1h_tokens,
        &mut usage.output_tokens,
        &mut usage.reasoning_tokens,
        &mut usage.audio_input_tokens,
        &mut usage.audio_output_tokens,
        &mut usage.image_input_tokens,
        &mut usage.image_output_tokens,
    ] {
        *count = most;
    }
    (end.first_content_ms, end.total_ms, end.cause) = (Some(most), most, Some(Cause::FirstContentTimeout));
    let shortest = shorten_settlement(&end, &Shorten { text_bytes: 0 });
    let bytes = serde_json::to_vec(&shortest).unwrap().len() + FRAME_BYTES;
    assert!(bytes <= SETTLED_BYTES_MAX, "{bytes}");
}
