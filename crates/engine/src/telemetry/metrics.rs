//! Counters and histograms in Prometheus' form. Labels are bounded: registry ids, configured models, rows of fixed
//! tables; never anything a caller writes.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use trunkline_domain::ledger::{AttemptOpening, Settlement};
use trunkline_domain::{ErrorKind, Operation, Text};

use crate::door::{DoorFigures, Reason};

/// Every metric.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<TargetLabels, Counter>,
    duration: Family<TargetLabels, Histogram>,
    first_content: Family<TargetLabels, Histogram>,
    hedges: Counter,
    unknown_errors: Family<UnknownErrorLabels, Counter>,
    open_holds: Gauge,
    journal_records: Gauge,
    journal_bytes: Gauge,
    journal_refused: Gauge,
    config_reload_failed: Gauge,
    door_refused: Family<DoorLabels, Counter>,
    door_in_flight: Gauge,
    door_waiting: Gauge,
    door_limit: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
    error: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    provider: Name,
    model: Name,
    cause: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TargetLabels {
    provider: Name,
    model: Name,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct UnknownErrorLabels {
    provider: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DoorLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TokenLabels {
    provider: Name,
    model: Name,
    class: &'static str,
}

/// Shared text as a label value.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Name(Text);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&&*self.0, encoder)
    }
}

/// What the ledger's own parts say when the metrics are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Holds taken and not settled.
    pub open_holds: u64,
    /// Records in the journal that are not in the store.
    pub journal_records: u64,
    /// Their bytes.
    pub journal_bytes: u64,
    /// Records that the store refused, set aside beside the journal.
    pub journal_refused: u64,
    /// The door.
    pub door: DoorFigures,
}

const DURATION_BUCKETS_S: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

fn histogram() -> Histogram {
    Histogram::new(DURATION_BUCKETS_S)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("trunkline"),
            requests: Family::default(),
            attempts: Family::default(),
            tokens: Family::default(),
            cost: Family::default(),
            duration: Family::new_with_constructor(histogram),
            first_content: Family::new_with_constructor(histogram),
            hedges: Counter::default(),
            unknown_errors: Family::default(),
            open_holds: Gauge::default(),
            journal_records: Gauge::default(),
            journal_bytes: Gauge::default(),
            journal_refused: Gauge::default(),
            config_reload_failed: Gauge::default(),
            door_refused: Family::default(),
            door_in_flight: Gauge::default(),
            door_waiting: Gauge::default(),
            door_limit: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests by operation, status and error code",
            metrics.requests.clone(),
        );
        registry.register(
            "attempts",
            "Upstream calls by cause; \"none\" is success",
            metrics.attempts.clone(),
        );
        registry.register("tokens", "Tokens in disjoint classes", metrics.tokens.clone());
        registry.register(
            "cost_nano_usd",
            "What providers charge, in billionths of a dollar",
            metrics.cost.clone(),
        );
        registry.register(
            "attempt_duration_seconds",
            "From dispatch to the last byte",
            metrics.duration.clone(),
        );
        let help = "From dispatch to the first content";
        registry.register("first_content_seconds", help, metrics.first_content.clone());
        let help = "Second attempts made beside a slow one";
        registry.register("hedges", help, metrics.hedges.clone());
        let help = "Errors of providers of which only the status could be read; 200 is one inside a success";
        registry.register("unknown_errors", help, metrics.unknown_errors.clone());
        registry.register("open_holds", "Holds taken and not settled", metrics.open_holds.clone());
        let help = "Journal records that are not in the store yet";
        registry.register("journal_records", help, metrics.journal_records.clone());
        registry.register(
            "journal_bytes",
            "Journal bytes that are not in the store yet",
            metrics.journal_bytes.clone(),
        );
        let help = "Journal records that the store refused, set aside in refused.jsonl beside the journal";
        registry.register("journal_refused_records", help, metrics.journal_refused.clone());
        let help = "1 while the configuration file on disk is refused and the last good one is in force";
        registry.register("config_reload_failed", help, metrics.config_reload_failed.clone());
        metrics.register_door();
        metrics
    }
}

impl Metrics {
    fn register_door(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "door_refused",
            "Requests that were not let in, by reason",
            self.door_refused.clone(),
        );
        registry.register("door_in_flight", "Requests under way", self.door_in_flight.clone());
        registry.register("door_waiting", "Requests that wait to be let in", self.door_waiting.clone());
        let help = "Requests that may be under way; lower while the gateway's threads are late";
        registry.register("door_limit", help, self.door_limit.clone());
    }

    /// A request ended, one way or another.
    pub fn request_ended(&self, operation: Operation, status: u16, error: Option<ErrorKind>) {
        let error = error.map_or("none", |kind| kind.facts().code);
        self.requests.get_or_create(&RequestLabels { operation: operation.as_str(), status, error }).inc();
    }

    /// A second attempt was made beside a slow one.
    pub fn hedged(&self) {
        self.hedges.inc();
    }

    /// A provider failed in words no table knows. Returns whether it is the first time with this status.
    pub fn unknown_error(&self, provider: &'static str, status: u16) -> bool {
        self.unknown_errors.get_or_create(&UnknownErrorLabels { provider, status }).inc() == 0
    }

    /// A dispatched attempt was settled.
    pub fn attempt_ended(&self, opening: &AttemptOpening, settlement: &Settlement) {
        let provider = Name(opening.provider.clone());
        let model = Name(opening.model.0.clone());
        let cause = settlement.cause.map_or("none", |cause| cause.as_str());
        let labels = AttemptLabels { provider: provider.clone(), model: model.clone(), cause };
        self.attempts.get_or_create(&labels).inc();
        let target = TargetLabels { provider, model };
        self.cost.get_or_create(&target).inc_by(u64::try_from(settlement.cost.0).unwrap_or(0));
        self.duration.get_or_create(&target).observe(seconds(settlement.total_ms));
        if let Some(first_content_ms) = settlement.first_content_ms {
            self.first_content.get_or_create(&target).observe(seconds(first_content_ms));
        }
        let usage = settlement.usage;
        let classes = [
            ("input", usage.input_tokens),
            ("cache_read", usage.cache_read_tokens),
            ("cache_write", usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens)),
            ("output", usage.output_tokens),
            ("reasoning", usage.reasoning_tokens),
            ("audio", usage.audio_input_tokens.saturating_add(usage.audio_output_tokens)),
            ("image", usage.image_input_tokens.saturating_add(usage.image_output_tokens)),
        ];
        let TargetLabels { provider, model } = target;
        for (class, count) in classes.into_iter().filter(|(_, count)| *count > 0) {
            let labels = TokenLabels { provider: provider.clone(), model: model.clone(), class };
            self.tokens.get_or_create(&labels).inc_by(count);
        }
    }

    /// A request was not let in.
    pub fn door_refused(&self, reason: Reason) {
        self.door_refused.get_or_create(&DoorLabels { reason: reason.as_str() }).inc();
    }

    /// Whether the configuration on disk was refused at the last reload.
    pub fn reload(&self, outcome: ReloadOutcome) {
        self.config_reload_failed.set(i64::from(outcome == ReloadOutcome::Refused));
    }

    /// The text Prometheus reads.
    pub fn render(&self, gauges: Gauges) -> String {
        let clamp = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.open_holds.set(clamp(gauges.open_holds));
        self.journal_records.set(clamp(gauges.journal_records));
        self.journal_bytes.set(clamp(gauges.journal_bytes));
        self.journal_refused.set(clamp(gauges.journal_refused));
        self.door_in_flight.set(gauges.door.in_flight.into());
        self.door_waiting.set(gauges.door.waiting.into());
        self.door_limit.set(gauges.door.limit.into());
        let mut text = String::new();
        // Writing to a string cannot fail; a half-written text would be no better than what is there.
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap_or_default();
        text
    }
}

/// How a reload of the configuration went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The file is in force.
    InForce,
    /// The last good one stays.
    Refused,
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a request are far below 2^53")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_status_and_code() {
        let metrics = Metrics::default();
        metrics.request_ended(Operation::Chat, 402, Some(ErrorKind::BudgetExceeded));
        let text = metrics.render(Gauges { open_holds: 3, ..Gauges::default() });
        let line = "trunkline_requests_total{operation=\"chat\",status=\"402\",error=\"budget_exceeded\"} 1";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("trunkline_open_holds 3"), "{text}");
    }
}
