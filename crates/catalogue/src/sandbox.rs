//! The offers of the sandbox, the provider simulated inside the gateway. Every price here is made up; they exist so
//! that costs, budgets and failover can be seen working before there is a key to any real provider.

use trunkline_domain::{ModelName, NanoUsd, PricePerMillion, Text, UpstreamModel};

use crate::capability::{Capabilities, Capability, Modalities, Modality, Support};
use crate::catalogue::ProviderEntry;
use crate::offer::{Kind, Offer, Status};
use crate::price::{Fees, PriceList, Rates, TokenClass};

/// The sandbox's id in the catalogue.
pub const SANDBOX: &str = "sandbox";

struct Simulated {
    id: &'static str,
    name: &'static str,
    kind: Kind,
    /// Nano-dollars per million tokens: input, cache reads, output, reasoning.
    rates: [i64; 4],
    request_fee: Option<NanoUsd>,
}

const fn chat(id: &'static str, name: &'static str, rates: [i64; 4]) -> Simulated {
    Simulated { id, name, kind: Kind::Chat, rates, request_fee: None }
}

const SMALL: [i64; 4] = [100_000_000, 10_000_000, 400_000_000, 400_000_000];
const LARGE: [i64; 4] = [3_000_000_000, 300_000_000, 15_000_000_000, 15_000_000_000];

const MODELS: &[Simulated] = &[
    chat("echo-small", "Simulated: small and fast", SMALL),
    chat("echo-large", "Simulated: large and slow", LARGE),
    chat("flaky", "Simulated: fails often", SMALL),
    chat("overloaded", "Simulated: always overloaded", SMALL),
    chat("slow-start", "Simulated: slow to begin", SMALL),
    chat("cut", "Simulated: cut in the middle", SMALL),
    chat("reasoner", "Simulated: reasons first", [500_000_000, 50_000_000, 2_000_000_000, 2_500_000_000]),
    Simulated {
        request_fee: Some(NanoUsd(100_000)),
        ..chat("fixed-price", "Simulated: one price per request", [0; 4])
    },
    Simulated {
        kind: Kind::Embedding,
        ..chat("embed", "Simulated: embeddings", [20_000_000, 20_000_000, 0, 0])
    },
];

const CONTEXT_WINDOW: u64 = 131_072;
const OUTPUT_MAX: u64 = 8_192;

pub(crate) fn provider() -> ProviderEntry {
    let offers = u32::try_from(MODELS.len()).unwrap_or(u32::MAX);
    ProviderEntry { id: Text::from(SANDBOX), name: Text::from("Sandbox (simulated)"), offers }
}

pub(crate) fn offers() -> Vec<Offer> {
    MODELS.iter().map(offer).collect()
}

fn offer(model: &Simulated) -> Offer {
    let chat = model.kind == Kind::Chat;
    let text = Modalities::default().with(Modality::Text);
    Offer {
        provider: Text::from(SANDBOX),
        upstream_id: UpstreamModel::from(model.id),
        region: None,
        model: ModelName(Text::from(format!("{SANDBOX}/{}", model.id))),
        display_name: Some(Text::from(model.name)),
        kind: model.kind,
        completes_text: chat,
        other_interface: false,
        context_window: Some(CONTEXT_WINDOW),
        output_max: chat.then_some(OUTPUT_MAX),
        input: text,
        output: if chat { text } else { Modalities::default() },
        capabilities: if chat { capabilities() } else { Capabilities::default() },
        prices: prices(model),
        status: Status::Current,
        released: None,
        retires: None,
        review: false,
    }
}

fn prices(model: &Simulated) -> PriceList {
    let [input, cache_read, output, reasoning] = model.rates.map(PricePerMillion);
    let rates = Rates::of(input, output)
        .with(TokenClass::CacheRead, cache_read)
        .with(TokenClass::Reasoning, reasoning);
    PriceList::flat(rates, Fees { request: model.request_fee, ..Fees::default() })
}

fn capabilities() -> Capabilities {
    let can = [
        Capability::Tools,
        Capability::ParallelTools,
        Capability::ToolChoice,
        Capability::StructuredOutput,
        Capability::JsonMode,
        Capability::Streaming,
        Capability::SystemMessages,
    ];
    let cannot = [Capability::Vision, Capability::Logprobs, Capability::PdfInput, Capability::AudioInput];
    let set = can.into_iter().fold(Capabilities::default(), |set, able| set.with(able, Support::Yes));
    cannot.into_iter().fold(set, |set, unable| set.with(unable, Support::No))
}
