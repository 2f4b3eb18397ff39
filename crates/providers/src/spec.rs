//! A provider as data: who it is, what it speaks, how it differs. Not code that talks to it: see
//! [`adapter`](crate::adapter) for the little that data cannot say. Where to look first: [`ProviderSpec`].

use trunkline_domain::{Dialect, Operation, UpstreamModel};
use trunkline_wire::quirks::{DoneMarker, Quirks};

use crate::adapter::{Adapter, Plain};
use crate::classify::rule::Errors;

/// Everything the gateway knows about a provider without being told by the operator.
#[derive(Clone, Copy)]
pub struct ProviderSpec {
    /// The file's name: what `kind` in the configuration, account names and `/v1/providers` show.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// OpenTelemetry's `gen_ai.provider.name`, where it has a value for this provider; else the id.
    pub otel: &'static str,
    /// The provider's id in the catalogue's facts.
    pub catalogue: &'static str,
    /// Where its API is documented: the page the facts below come from.
    pub docs: &'static str,
    /// Where its API lives.
    pub base_url: BaseUrl,
    /// Environment variables that hold a key, in order of preference; the first one set makes an account.
    pub env: &'static [&'static str],
    /// How a request is authorised with a key.
    pub auth: AuthScheme,
    /// The clouds whose own credentials it takes instead of a key.
    pub clouds: &'static [Cloud],
    /// What AWS calls the service in signatures.
    pub signing_name: Option<&'static str>,
    /// What it serves.
    pub apis: &'static [Api],
    /// How it differs from the dialect's reference.
    pub quirks: Quirks,
    /// What it says when something goes wrong, where that differs.
    pub errors: Errors,
    /// How its free listing of models is asked for, if it has one.
    pub listing: Option<Listing>,
    /// Whether closing the connection stops its bill.
    pub cancel: CancelBilling,
    /// Whether it counts the tokens of a prompt for nothing ([`Answering::Counted`]).
    pub counts_tokens: bool,
    /// Whether it keeps the Responses it gave, to be gone on from and asked for again.
    pub keeps_responses: bool,
    /// A version of its API, where an operator may name one: the parameter `api-version` of each call.
    pub api_version: Option<&'static str>,
    /// Dialects in which it verifies the thinking it is given back, and takes what the same model signed at any other
    /// provider of which this is said. Of all others it is assumed that an account takes back only what it signed itself.
    pub portable_state: &'static [Dialect],
    /// How it is told to go on with an answer that was begun elsewhere; `None` where nobody says that it does. Which of
    /// its models do: [`Adapter::continues`].
    pub prefill: Option<Prefill>,
    /// What data cannot say.
    pub adapter: &'static dyn Adapter,
    /// How far this file has been proven.
    pub proof: Proof,
}

/// Where an API lives, version included, as the provider's own SDK takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseUrl {
    /// One public address.
    Fixed(&'static str),
    /// Every customer has an own one: `base_url` must be configured. The text is an example.
    PerCustomer(&'static str),
    /// A server on this machine, found by asking its usual port.
    Local {
        /// Where it answers.
        url: &'static str,
        /// The account it becomes when it is found: the provider's id, or `local` where different servers share a
        /// port by habit.
        account: &'static str,
    },
    /// Inside this process.
    InProcess,
}

/// How a request is authorised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// `authorization: Bearer …`.
    Bearer,
    /// The key alone in a header of this name.
    Header(&'static str),
    /// `authorization: Bearer …` if the operator configured a key, nothing otherwise.
    OptionalBearer,
    /// Nothing.
    None,
}

/// A cloud with credentials of its own: tokens or keys that are renewed, obtained from its services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cloud {
    /// AWS: requests are signed (Signature Version 4).
    Aws,
    /// Google Cloud: `authorization: Bearer …`.
    Google,
    /// Microsoft Entra: `authorization: Bearer …`.
    Entra,
}

impl Cloud {
    /// All of them.
    pub const ALL: [Cloud; 3] = [Self::Aws, Self::Google, Self::Entra];

    /// As the configuration names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Google => "google",
            Self::Entra => "entra",
        }
    }
}

/// One operation a provider serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// What.
    pub operation: Operation,
    /// In which language.
    pub dialect: Dialect,
    /// Path below the base URL, with its leading slash.
    pub path: &'static str,
}

/// A free listing of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Path below the base URL.
    pub path: &'static str,
    /// Where the ids are.
    pub shape: ListingShape,
}

/// The shape of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingShape {
    /// `{"data": [{"id": …}]}`.
    Data,
    /// `[{"id": …}]` (Together).
    Bare,
}

/// Whether closing the connection stops a provider's bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelBilling {
    /// Documented to stop.
    Stops,
    /// Documented to go on, or not documented: the stream is drained for its usage, within caps.
    GoesOn,
}

/// How a provider is told to go on with an answer that was begun elsewhere: its text so far is the last message of the
/// request, the assistant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefill {
    /// The dialect of the API that does it.
    pub dialect: Dialect,
    /// What says that the message is to be gone on with.
    pub mark: PrefillMark,
    /// The path of the API where it is another than usual, with its leading slash.
    pub path: Option<&'static str>,
}

/// What says that the last message is to be gone on with instead of being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefillMark {
    /// Nothing but its being the assistant's.
    LastMessage,
    /// A member of the message, of this name, that is `true`.
    Member(&'static str),
    /// Fields of the request, with their values.
    Fields(&'static [(&'static str, bool)]),
}

impl PrefillMark {
    /// Those an operator may choose from, by their names in the configuration.
    pub const CHOICES: [(&'static str, Self); 4] = [
        ("last_message", Self::LastMessage),
        ("prefix", Self::Member("prefix")),
        ("partial", Self::Member("partial")),
        ("continue_final_message", Self::CONTINUE_FINAL_MESSAGE),
    ];

    /// vLLM's: of the two fields exactly one may be true, and without them it is the other.
    pub const CONTINUE_FINAL_MESSAGE: Self =
        Self::Fields(&[("continue_final_message", true), ("add_generation_prompt", false)]);
}

impl Prefill {
    /// In OpenAI's chat, where the usual path is asked.
    pub const fn chat(mark: PrefillMark) -> Self {
        Self { dialect: Dialect::OpenaiChat, mark, path: None }
    }
}

/// How far a provider's file has been proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Fixtures hold answers that its own documentation or SDK shows.
    Proven,
    /// No answer of its own was at hand: compatible by its own word, or written from the types of an SDK alone.
    Unverified,
}

impl Api {
    /// OpenAI's chat completions.
    pub const CHAT: Api =
        Api { operation: Operation::Chat, dialect: Dialect::OpenaiChat, path: "/chat/completions" };

    /// OpenAI's Responses.
    pub const RESPONSES: Api =
        Api { operation: Operation::Chat, dialect: Dialect::OpenaiResponses, path: "/responses" };

    /// OpenAI's legacy completions.
    pub const COMPLETIONS: Api = Api {
        operation: Operation::TextCompletion,
        dialect: Dialect::OpenaiCompletions,
        path: "/completions",
    };

    /// OpenAI's embeddings.
    pub const EMBEDDINGS: Api =
        Api { operation: Operation::Embeddings, dialect: Dialect::OpenaiEmbeddings, path: "/embeddings" };
}

impl Listing {
    /// OpenAI's `GET /models`.
    pub const OPENAI: Listing = Listing { path: "/models", shape: ListingShape::Data };
}

impl ProviderSpec {
    /// What is assumed of a provider that calls itself OpenAI-compatible until its documentation says more: the rest
    /// of a provider's file by `..ProviderSpec::COMPATIBLE`. Its id, name, addresses and variables are empty.
    pub const COMPATIBLE: ProviderSpec = ProviderSpec {
        id: "",
        name: "",
        otel: "",
        catalogue: "",
        docs: "",
        base_url: BaseUrl::PerCustomer(""),
        env: &[],
        auth: AuthScheme::Bearer,
        clouds: &[],
        signing_name: None,
        apis: &[Api::CHAT],
        quirks: Quirks { done_marker: DoneMarker::Optional, ..Quirks::REFERENCE },
        errors: Errors::SHARED,
        listing: Some(Listing::OPENAI),
        cancel: CancelBilling::GoesOn,
        counts_tokens: false,
        keeps_responses: false,
        api_version: None,
        portable_state: &[],
        prefill: None,
        adapter: &Plain,
        proof: Proof::Unverified,
    };

    /// The operations it serves, each once, whatever the dialects.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        let apis = self.apis.iter().enumerate();
        let first = |(at, api): &(usize, &Api)| {
            self.apis.iter().take(*at).all(|before| before.operation != api.operation)
        };
        apis.filter(first).map(|(_, api)| api.operation)
    }

    /// The API for an operation in a dialect.
    pub fn api(&self, operation: Operation, dialect: Dialect) -> Option<&'static Api> {
        self.apis.iter().find(|api| api.operation == operation && api.dialect == dialect)
    }
}

impl std::fmt::Debug for ProviderSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProviderSpec({})", self.id)
    }
}

impl PartialEq for ProviderSpec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// One deployment's facts, as far as an adapter needs them.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The account's base URL, without a trailing slash.
    pub base_url: &'a str,
    /// The id sent upstream.
    pub model: &'a UpstreamModel,
    /// The API used.
    pub api: &'a Api,
    /// The version of the API that the operator named ([`ProviderSpec::api_version`]).
    pub api_version: Option<&'a str>,
    /// How the provider is to answer: some say it in the path.
    pub answering: Answering,
}

/// How a provider is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answering {
    /// All at once.
    Whole,
    /// As a stream.
    Streamed,
    /// With the number of the prompt's tokens only.
    Counted,
}
