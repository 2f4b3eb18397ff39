//! One case: a way to fail, how the caller asks, and what the gateway may do about it. What must come of it is in
//! [`Case::judge`].

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use trunkline_testkit::fake_provider::script::Begun;
use trunkline_testkit::fake_provider::{
    Certificate, Ending, FakeProvider, Script, Seen, Server, Setup, Validity,
};

use super::modes::{Mode, Transport, When};
use super::seen::Outcome;
use super::table::Tried;
use crate::kill::rows::Row;
use crate::support::Gateway;

/// Longer than what is held back at a seam, and without words said twice.
pub(crate) const TEXT: &str = "Alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november \
                               oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu.";

/// After which a second provider is asked beside a slow first one, in milliseconds.
const HEDGE_AFTER_MS: u32 = 300;

/// How a caller is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Buffered,
    Streamed,
}

/// The language a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    Chat,
    Responses,
    Anthropic,
    Gemini,
}

pub(crate) const DIALECTS: [Dialect; 4] =
    [Dialect::Chat, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini];

/// Whether there is somebody else who could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Providers {
    One,
    Two,
}

/// Whether something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Switch {
    Off,
    On,
}

/// A case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    pub(crate) form: Form,
    pub(crate) dialect: Dialect,
    pub(crate) providers: Providers,
    pub(crate) hedge: Switch,
    pub(crate) resume: Switch,
}

/// The providers of one case, and its place among those of a gateway.
pub(crate) struct Stage {
    pub(crate) case: Case,
    number: usize,
    /// The one that fails, if there is one.
    bad: Option<(FakeProvider, Server)>,
    /// The file of the certificate by which it is trusted, where there is one.
    trust: &'static str,
    good: Option<(FakeProvider, Server)>,
}

/// The certificates of all providers, and the files in which a gateway finds them.
pub(crate) struct Certificates([(&'static str, Certificate); 2]);

impl Certificates {
    pub(crate) fn new() -> Self {
        let new = |validity| Certificate::new(validity).unwrap();
        Self([("valid.pem", new(Validity::Valid)), ("expired.pem", new(Validity::Expired))])
    }

    fn find(&self, validity: Validity) -> &(&'static str, Certificate) {
        &self.0[usize::from(validity == Validity::Expired)]
    }

    /// Writes them to where a gateway's configuration is.
    pub(crate) fn write(&self, directory: &Path) {
        for (file, certificate) in &self.0 {
            std::fs::write(directory.join(file), certificate.pem()).unwrap();
        }
    }
}

/// Every combination of a mode with everything else.
pub(crate) fn all(modes: &[Mode]) -> Vec<Case> {
    let mut all = Vec::new();
    for &mode in modes {
        for form in [Form::Buffered, Form::Streamed] {
            for dialect in DIALECTS {
                for providers in [Providers::One, Providers::Two] {
                    for hedge in [Switch::Off, Switch::On] {
                        for resume in [Switch::Off, Switch::On] {
                            all.push(Case { mode, form, dialect, providers, hedge, resume });
                        }
                    }
                }
            }
        }
    }
    all
}

impl Case {
    /// Whether a hedge may be sent.
    pub(crate) fn may_hedge(&self) -> bool {
        self.hedge == Switch::On && self.providers == Providers::Two && self.mode.is_slow()
    }

    /// What it is in the table.
    pub(crate) fn tried(&self) -> Tried<Mode> {
        let Self { mode, form, providers, hedge, resume, .. } = *self;
        Tried { failure: mode, form, providers, hedge, resume }
    }

    /// What is wrong about what came of it; nothing where it is as it must be.
    fn judge(&self, outcome: &Outcome) -> Result<(), String> {
        let leads = self.mode.leads(self.form);
        let two = self.providers == Providers::Two;
        let resumes = two && self.resume == Switch::On;
        let says = |code: &Option<String>| {
            code.as_deref().is_none_or(|code| leads.error.1.is_empty() || code == leads.error.1)
        };
        let wanted = match outcome {
            Outcome::Whole(_) => match leads.when {
                // What was cut may have been complete before.
                When::Never | When::Anywhere => true,
                When::Before => two,
                When::Midway => resumes,
                When::Own => false,
            },
            Outcome::Refused { status, code } => {
                let refused = match leads.when {
                    When::Own => true,
                    When::Before | When::Anywhere => !two,
                    When::Never | When::Midway => false,
                };
                refused && *status == leads.error.0 && says(code)
            }
            Outcome::Broken { text, code } => match leads.when {
                When::Midway => !resumes && !text.is_empty() && says(code),
                // What had said that it was finished is not gone on with.
                When::Anywhere => (!resumes || text == TEXT) && !text.is_empty() && says(code),
                When::Before | When::Never | When::Own => false,
            },
            Outcome::Gone | Outcome::Neither(_) => false,
        };
        if !wanted {
            return Err("this must not come of it".to_owned());
        }
        let well_said = match outcome {
            Outcome::Whole(text) => text == TEXT,
            Outcome::Broken { text, .. } => TEXT.starts_with(text.as_str()),
            Outcome::Refused { .. } | Outcome::Gone | Outcome::Neither(_) => true,
        };
        well_said.then_some(()).ok_or_else(|| "this is not what the providers have said".to_owned())
    }

    /// A cause that an attempt at the failing provider may have.
    fn explains(&self, cause: &str) -> bool {
        cause == self.mode.leads(self.form).cause || self.may_hedge() && cause == "cancelled"
    }
}

impl Stage {
    pub(crate) async fn new(case: Case, number: usize, certificates: &Certificates) -> Self {
        let mut trust = "";
        let bad = match (case.mode.script(case.form), case.mode.transport()) {
            (None, _) => None,
            (Some(script), Transport::Plain) => Some(provider(script).await),
            (Some(script), Transport::Http2(validity)) => {
                let (file, certificate) = certificates.find(validity);
                trust = file;
                let first = matches!(case.mode, Mode::Once(_)).then(|| script.clone());
                let later = if first.is_some() { Script::says(TEXT) } else { script };
                let setup = Setup {
                    scripts: first.into_iter().collect(),
                    otherwise: vec![later],
                    ..Setup::default()
                };
                let provider = FakeProvider::new(setup).unwrap();
                let server =
                    provider.listen_http2("127.0.0.1:0".parse().unwrap(), certificate).await.unwrap();
                Some((provider, server))
            }
        };
        let good = match case.providers {
            Providers::Two => Some(provider(Script::goes_on(TEXT, Begun::GoesOn)).await),
            Providers::One => None,
        };
        Self { case, number, bad, trust, good }
    }

    /// What the caller asks for, and so what its rows are found by.
    pub(crate) fn model(&self) -> String {
        format!("acme/c{}", self.number)
    }

    /// Its accounts in a configuration.
    pub(crate) fn accounts(&self, port_of_nobody: u16) -> String {
        let nobody = if self.case.mode == Mode::Nameless {
            "http://chaos.invalid/v1".to_owned()
        } else {
            format!("http://127.0.0.1:{port_of_nobody}/v1")
        };
        let bad = self.bad.as_ref().map_or(nobody, |(_, server)| server.base_url());
        let good = self.good.as_ref().map(|(_, server)| self.account("good", &server.base_url(), 1));
        let bad = self.account("bad", &bad, 0);
        let bad = match self.trust {
            "" => bad,
            file => bad.replace("priority", &format!("ca_bundle = \"{file}\"\npriority")),
        };
        bad + &good.unwrap_or_default()
    }

    fn account(&self, name: &str, base_url: &str, priority: u8) -> String {
        account(&format!("{name}-{}", self.number), base_url, priority, &[self.model()])
    }

    /// The caller's request.
    pub(crate) fn request(&self, gateway: &Gateway) -> Request<Full<Bytes>> {
        let mut wishes = wishes(self.case.hedge, self.case.resume);
        if self.case.may_hedge() {
            wishes.push(("x-trunkline-ttft-budget-ms", HEDGE_AFTER_MS.to_string()));
        }
        request(gateway, (self.case.dialect, self.case.form), &self.model(), wishes)
    }

    /// Everything that is wrong about what the caller saw and what was written down.
    pub(crate) fn judge(&self, outcome: &Outcome, rows: &[Row]) -> Vec<String> {
        let mut wrong: Vec<String> = self.case.judge(outcome).err().into_iter().collect();
        let ordinals: Vec<i64> = rows.iter().map(|row| row.ordinal).collect();
        let expected: Vec<i64> = (1..).take(rows.len()).collect();
        if rows.is_empty() || ordinals != expected {
            wrong.push(format!("rows are numbered {ordinals:?}"));
        }
        for (name, provider) in [("bad", &self.bad), ("good", &self.good)] {
            let account = format!("{name}-{}", self.number);
            let rows: Vec<&Row> = rows.iter().filter(|row| row.account == account).collect();
            if let Some((provider, _)) = provider {
                let calls = calls(provider);
                if name == "bad" && self.case.mode.never_arrives() {
                    wrong.extend(rows.iter().filter_map(|row| claims(row)));
                    wrong.extend(calls.iter().map(|call| format!("{name}: it arrived: {call:#?}")));
                } else if calls.len() != rows.len() {
                    wrong.push(format!("{name}: {} calls, {} rows", calls.len(), rows.len()));
                }
                wrong.extend(calls.iter().zip(&rows).filter_map(|(call, row)| mismatch(call, row)));
                wrong.extend(provider.violations());
            }
            let failed = rows.iter().filter_map(|row| row.cause.as_deref());
            let unexplained = failed.filter(|cause| match name {
                "bad" => !self.case.explains(cause),
                _ => !(self.case.mode == Mode::Slow && *cause == "cancelled"),
            });
            wrong.extend(unexplained.map(|cause| format!("{name}: an attempt failed for {cause}")));
        }
        wrong
    }

    /// Whether every call has ended at its provider.
    pub(crate) fn is_over(&self) -> bool {
        let providers = [&self.bad, &self.good].into_iter().flatten();
        providers.flat_map(|(provider, _)| calls(provider)).all(|call| call.ending != Ending::Open)
    }
}

/// An account whose models cost 100 and 200 nano-dollars a token, and which is not waited for long.
pub(crate) fn account(name: &str, base_url: &str, priority: u8, models: &[String]) -> String {
    let model = |(at, model): (usize, &String)| {
        format!(
            "{{ id = \"m{at}\", name = \"{model}\", context_window = 8192, output_max = 1024, \
             input_usd_per_million = 0.1, output_usd_per_million = 0.2 }}"
        )
    };
    let models = models.iter().enumerate().map(model).collect::<Vec<_>>().join(", ");
    format!(
        "[providers.{name}]\nkind = \"custom\"\nbase_url = \"{base_url}\"\npriority = {priority}\n\
         prefill = \"last_message\"\nmodels = [{models}]\n\
         timeouts = {{ headers_ms = 1500, first_content_ms = 1500, idle_ms = 1000 }}\n\n"
    )
}

/// A request for a model, as a caller of the dialect writes it.
pub(crate) fn request(
    gateway: &Gateway,
    (dialect, form): (Dialect, Form),
    model: &str,
    wishes: Vec<(&str, String)>,
) -> Request<Full<Bytes>> {
    let streamed = form == Form::Streamed;
    let messages = json!([{ "role": "user", "content": "Say it." }]);
    let contents = json!([{ "role": "user", "parts": [{ "text": "Say it." }] }]);
    let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let gemini = format!("/v1beta/models/{model}:{method}");
    let (path, body): (&str, Value) = match dialect {
        Dialect::Chat => (
            "/v1/chat/completions",
            json!({ "model": model, "max_tokens": 64, "stream": streamed, "messages": messages }),
        ),
        Dialect::Responses => (
            "/v1/responses",
            json!({ "model": model, "max_output_tokens": 64, "stream": streamed, "store": false, "input": "Say it." }),
        ),
        Dialect::Anthropic => (
            "/v1/messages",
            json!({ "model": model, "max_tokens": 64, "stream": streamed, "messages": messages }),
        ),
        Dialect::Gemini => {
            (&gemini, json!({ "contents": contents, "generationConfig": { "maxOutputTokens": 64 } }))
        }
    };
    let request = gateway.request(Method::POST, path).header("content-type", "application/json");
    let request = wishes.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(Full::from(body.to_string())).unwrap()
}

/// What a caller wishes by headers.
pub(crate) fn wishes(hedge: Switch, resume: Switch) -> Vec<(&'static str, String)> {
    let said = |switch| if switch == Switch::On { "true" } else { "false" }.to_owned();
    vec![("x-trunkline-hedge", said(hedge)), ("x-trunkline-resume", said(resume))]
}

/// What was asked of a provider.
pub(crate) fn calls(provider: &FakeProvider) -> Vec<Seen> {
    provider.log().into_iter().filter(|call| call.method == "POST").collect()
}

/// What a row says otherwise than the provider's log.
pub(crate) fn mismatch(call: &Seen, row: &Row) -> Option<String> {
    let billed = call.billed.unwrap_or_default();
    let tokens =
        [billed.prompt_tokens, billed.completion_tokens].map(|tokens| i64::try_from(tokens).unwrap());
    let cost = 100 * tokens[0] + 200 * tokens[1];
    let same = match row.state.as_str() {
        "settled" => {
            (row.input_tokens, row.output_tokens) == (tokens[0], tokens[1])
                && (row.cost, row.charge) == (cost, cost)
                && row.upstream_id == call.answer_id
        }
        "void" => (row.charge, call.billed) == (0, None) && row.status == call.status.map(i64::from),
        "partial" | "estimated" => row.charge <= row.bound,
        _ => false,
    };
    (!same).then(|| format!("{call:#?}\n{row:#?}"))
}

/// What a row claims of a call that was never processed.
fn claims(row: &Row) -> Option<String> {
    let same = (row.state.as_str(), row.charge, row.cost, row.status) == ("void", 0, 0, None)
        && row.upstream_id.is_none();
    (!same).then(|| format!("it was never processed: {row:#?}"))
}

async fn provider(script: Script) -> (FakeProvider, Server) {
    let provider = FakeProvider::new(Setup { otherwise: vec![script], ..Setup::default() }).unwrap();
    let server = provider.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (provider, server)
}
