//! Anthropic's API: Messages, their counting, and models.
//!
//! Sources: anthropic-sdk-python 2.13.0, `anthropic/types/` (requests, answers, events), `anthropic/_client.py` (headers),
//! `anthropic/types/shared/error_object.py`; <https://platform.claude.com/docs/en/api/errors> (statuses and types of
//! errors), <https://platform.claude.com/docs/en/build-with-claude/streaming> (order of events). What the real one says
//! about each mistake is documented nowhere; the wording follows what its users report, named where it is used.

mod answer;
pub(crate) mod error;
pub(crate) mod strict;
