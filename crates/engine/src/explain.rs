//! What would be done with a request, without doing it: nothing is sent, held or recorded.

use std::sync::Arc;

use trunkline_domain::receipt::Receipt;
use trunkline_domain::{Error, ErrorKind};
use trunkline_routing::PlanError;
use trunkline_wire::codec_for;
use trunkline_wire::envelope::Envelope;

use crate::admit::{delivery, header_wishes, skim};
use crate::authenticate::authenticate;
use crate::core::Core;
use crate::inbound::Inbound;
use crate::kept::previous;
use crate::plan::{Question, public};
use crate::validate::Check;

/// Explains the decision for a request of a caller. A request everybody is left out of is explained too; only a
/// name nobody knows, or a body that cannot be read, is an error.
pub(crate) async fn explain(core: &Arc<Core>, inbound: Inbound) -> Result<Receipt, Error> {
    let key = authenticate(&core.keys, &inbound.headers, core.clock.now()).await?;
    let codec = codec_for(inbound.dialect);
    let body = inbound.body.await?;
    let envelope = Envelope::parse(body.bytes).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("the request body cannot be read: {error}"))
    })?;
    let skim = skim(codec, &envelope, inbound.path.as_ref(), header_wishes(&inbound.headers)?)?;
    let snapshot = core.snapshots.current();
    let delivery = delivery(&snapshot, &skim);
    let check = Check::of((codec, codec.operation()), (&envelope, &skim), &delivery)?;
    let validation = check.as_ref().map(Check::told);
    let previous = previous(core, &key, &skim)?;
    let keeper = previous.as_ref().map(|kept| &*kept.account);
    let language = (codec, codec.operation());
    let question = Question::new(core, &snapshot, &key, language, (&envelope, &skim), keeper);
    match question.plan() {
        Err(unknown @ PlanError::UnknownModel { .. }) => Err(public(unknown)),
        plan => Ok(Receipt { validation, ..question.explain(&plan, None) }),
    }
}
