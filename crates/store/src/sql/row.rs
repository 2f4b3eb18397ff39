//! Values on their way out of a row, column after column.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as NameError, StrDeserializer};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, Type};
use trunkline_domain::Text;
use trunkline_ledger::api::StoreError;
use uuid::Uuid;

use crate::error::{Result, store_error};

/// Reads a row's columns in order.
pub(crate) struct Columns<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn new(row: &'r SqliteRow) -> Self {
        Self { row, next: 0 }
    }

    fn value<T: Decode<'r, Sqlite> + Type<Sqlite>>(&mut self) -> Result<T> {
        let index = self.next;
        self.next += 1;
        self.row.try_get(index).map_err(store_error)
    }

    pub(crate) fn integer(&mut self) -> Result<i64> {
        self.value()
    }

    pub(crate) fn integer_or_null(&mut self) -> Result<Option<i64>> {
        self.value()
    }

    /// An integer of a smaller or unsigned type.
    pub(crate) fn number<T: TryFrom<i64>>(&mut self) -> Result<T> {
        let integer = self.integer()?;
        narrow(integer)
    }

    pub(crate) fn number_or_null<T: TryFrom<i64>>(&mut self) -> Result<Option<T>> {
        self.integer_or_null()?.map(narrow).transpose()
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        Ok(self.integer()? != 0)
    }

    pub(crate) fn text(&mut self) -> Result<Text> {
        Ok(Text::from(self.value::<&str>()?))
    }

    pub(crate) fn text_or_null(&mut self) -> Result<Option<Text>> {
        Ok(self.value::<Option<&str>>()?.map(Text::from))
    }

    /// A value stored by its stable name.
    pub(crate) fn named<T: Deserialize<'r>>(&mut self) -> Result<T> {
        named(self.value()?)
    }

    pub(crate) fn named_or_null<T: Deserialize<'r>>(&mut self) -> Result<Option<T>> {
        self.value::<Option<&str>>()?.map(named).transpose()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        exact(self.value()?)
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>> {
        self.value()
    }

    pub(crate) fn id(&mut self) -> Result<Uuid> {
        Ok(Uuid::from_bytes(self.bytes()?))
    }

    pub(crate) fn id_or_null(&mut self) -> Result<Option<Uuid>> {
        self.value::<Option<&[u8]>>()?.map(exact).transpose().map(|bytes| bytes.map(Uuid::from_bytes))
    }

    pub(crate) fn list<T: DeserializeOwned>(&mut self) -> Result<Vec<T>> {
        self.value::<Option<&str>>()?.map_or_else(|| Ok(Vec::new()), from_json)
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        from_json(self.value()?)
    }
}

fn narrow<T: TryFrom<i64>>(integer: i64) -> Result<T> {
    T::try_from(integer).map_err(|_| StoreError::Damaged(format!("{integer} is out of its column's range")))
}

/// The domain's names of enum values are also their serde names.
fn named<'r, T: Deserialize<'r>>(name: &'r str) -> Result<T> {
    T::deserialize(StrDeserializer::<NameError>::new(name))
        .map_err(|_| StoreError::Damaged(format!("{name:?} is not a value of its column")))
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| StoreError::Damaged(format!("{} bytes where {N} belong", bytes.len())))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use trunkline_domain::attempt::{Cause, Origin};
    use trunkline_domain::ledger::EntryState;
    use trunkline_domain::{Operation, UsageSource};

    use super::*;
    use EntryState::{Estimated, Interrupted, Partial, Settled, Void};

    fn reads_back<T: DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, name: &str) {
        assert_eq!(&named::<T>(name).unwrap(), value);
    }

    #[test]
    fn stored_names_read_back() {
        for cause in Cause::ALL {
            reads_back(cause, cause.as_str());
        }
        reads_back(&Origin::Caller, Origin::Caller.as_str());
        for operation in
            [Operation::Chat, Operation::TextCompletion, Operation::Embeddings, Operation::CountTokens]
        {
            reads_back(&operation, operation.as_str());
        }
        for source in [UsageSource::Reported, UsageSource::Estimated, UsageSource::Absent] {
            reads_back(&source, source.as_str());
        }
        for state in [Settled, Partial, Estimated, Interrupted, Void] {
            reads_back(&state, state.as_str());
        }
        assert!(matches!(named::<EntryState>("paid"), Err(StoreError::Damaged(_))));
    }
}
