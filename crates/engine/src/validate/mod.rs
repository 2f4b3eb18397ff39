//! Validation of structured output: where a caller asks for a JSON document and the route or the request wants it
//! validated, an answer is held against the caller's own schema before anything of it is handed on.
//!
//! What it is: what an answer is held against ([`Check`]), what it says ([`Said`]), and how a stream is read for it
//! ([`Checked`]). What it is not: what happens to an answer that does not hold: that is the walk's (`execute::walk`), for
//! which it is a failed attempt whose cause is the model's. Nothing here happens to requests that do not ask for it.
//!
//! Where to look first: [`Check`], then [`schema`] (a caller's schema is hostile input) and [`effort`].

mod effort;
mod reader;
mod said;
mod schema;

use trunkline_domain::chat::{ChatResponse, OutputFormat};
use trunkline_domain::validation::{StructuredFormat, Validation, Verdict};
use trunkline_domain::{Error, ErrorKind, Operation, Text};
use trunkline_wire::caller_codec_for;
use trunkline_wire::codec::{Codec, FieldError, Skim};
use trunkline_wire::envelope::Envelope;

pub(crate) use reader::Checked;
pub(crate) use said::Said;
use schema::Schema;

use crate::snapshot::Delivery;

/// The longest answer that is validated, in bytes of its text. A longer one does not hold.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What the answer to a request is held against.
pub(crate) struct Check {
    retries_max: u8,
    /// None where any JSON will do.
    schema: Option<Schema>,
    format: StructuredFormat,
}

/// Where an answer is not what was asked: for the caller alone, since it tells of its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch(pub(crate) Text);

impl Check {
    /// Of a request whose answer is delivered so; `None` where it is not validated, or asks for no JSON document. The
    /// error is for the caller: a schema nothing can be held against is refused before anybody is asked.
    pub(crate) fn of(
        (codec, operation): (&dyn Codec, Operation),
        (envelope, skim): (&Envelope, &Skim),
        delivery: &Delivery,
    ) -> Result<Option<Self>, Error> {
        let caller = caller_codec_for(codec.dialect());
        let (Some(retries_max), Operation::Chat, Some(caller)) = (delivery.validation, operation, caller)
        else {
            return Ok(None);
        };
        let asked = caller.output_format(envelope).map_err(unreadable)?;
        let (format, schema) = match asked {
            Some((_, OutputFormat::JsonObject | OutputFormat::JsonSchema { schema: None, .. })) => {
                (StructuredFormat::JsonObject, None)
            }
            Some((field, OutputFormat::JsonSchema { schema: Some(schema), .. })) => {
                let schema = Schema::compile(schema.get()).map_err(|problem| problem.of(field))?;
                (StructuredFormat::JsonSchema, Some(schema))
            }
            Some((field, OutputFormat::Opaque(_))) if skim.needs.schema => return Err(unknown(field)),
            None | Some((_, OutputFormat::Text | OutputFormat::Opaque(_))) => return Ok(None),
        };
        Ok(Some(Self { retries_max, schema, format }))
    }

    /// As it is told.
    pub(crate) fn told(&self) -> Validation {
        Validation { format: self.format, retries_max: self.retries_max, verdict: None }
    }

    /// How often a deployment whose answer does not hold is asked again.
    pub(crate) fn retries_max(&self) -> u8 {
        self.retries_max
    }

    /// Holds a whole answer against it.
    pub(crate) fn response(&self, response: &ChatResponse) -> Result<Verdict, Mismatch> {
        self.judge(&Said::of(response))
    }

    /// Holds what was said against it: every choice that does not itself say why it is no document.
    pub(crate) fn judge(&self, said: &Said) -> Result<Verdict, Mismatch> {
        let mut verdict = None;
        for choice in said.choices() {
            match choice.exemption() {
                Some(exempt) => verdict = Some(exempt),
                None => self.text(choice.text())?,
            }
        }
        if said.is_empty() {
            self.text("")?;
        }
        Ok(verdict.unwrap_or(Verdict::Valid))
    }

    fn text(&self, text: &str) -> Result<(), Mismatch> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Mismatch(format!("longer than {TEXT_BYTES_MAX} bytes").into()));
        }
        match &self.schema {
            Some(schema) => schema.hold(text),
            None => serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|_| no_json()),
        }
    }
}

fn no_json() -> Mismatch {
    Mismatch("not a JSON document".into())
}

fn unreadable(FieldError { field, message }: FieldError) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).about(field)
}

fn unknown(field: &'static str) -> Error {
    let message = format!(
        "`{field}` asks for a form of answer that cannot be validated here: write it as documented, or send the request \
         without validation (routing.json_schema_validation = false)"
    );
    Error::new(ErrorKind::InvalidRequest, message).about(field)
}

#[cfg(test)]
mod tests;
