//! Reading the value of one named field of a request, with an error that names it.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use trunkline_domain::Text;

use super::read::{Str, problem};
use crate::codec::FieldError;

pub(crate) fn read<T: DeserializeOwned>(name: &str, raw: &str) -> Result<T, FieldError> {
    serde_json::from_str(raw).map_err(|error| wrong(name, &error))
}

pub(crate) fn text(name: &str, raw: &str) -> Result<Text, FieldError> {
    read::<Str>(name, raw).map(|text| text.0)
}

/// The value as it is written.
pub(crate) fn borrowed<'a>(name: &str, raw: &'a str) -> Result<&'a RawValue, FieldError> {
    serde_json::from_str(raw).map_err(|error| wrong(name, &error))
}

pub(crate) fn wrong(name: &str, error: &serde_json::Error) -> FieldError {
    FieldError { message: format!("`{name}`: {}", problem(error)).into(), field: name.to_owned().into() }
}
