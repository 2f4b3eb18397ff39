//! The straight path: each room consumes what the one before produced, so none can be skipped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use trunkline_domain::error::Fault;
use trunkline_domain::id::RequestId;
use trunkline_domain::{Dialect, Error, ErrorKind, Operation};
use trunkline_wire::codec_for;
use uuid::Uuid;

use crate::admit::{Admitted, Entered, admit, announced_tokens, header_wishes};
use crate::answer::Answer;
use crate::authenticate::authenticate;
use crate::core::Core;
use crate::deliver::stream::Manner;
use crate::deliver::{self, Refusal};
use crate::door::{Ask, Permit, Tenant};
use crate::inbound::Inbound;
use crate::request::{Outgoing, Request};
use crate::{execute, plan, resume};

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, headers: http::HeaderMap::new() }
    }
}

/// Serves one request. Early refusals, disconnects and panics all end in the same guards.
pub(crate) async fn serve(core: &Arc<Core>, inbound: Inbound) -> Result<Answer, Refusal> {
    let arrived = Instant::now();
    refuse_while_draining(core)?;
    let snapshot = core.snapshots.current();
    let key = authenticate(&core.keys, &inbound.headers, core.clock.now()).await?;
    let wishes = header_wishes(&inbound.headers)?;
    let budgets = [wishes.ttft_budget_ms, wishes.latency_budget_ms].into_iter().flatten();
    let ask = Ask {
        tenant: Tenant::of(&key.facts),
        cost: announced_tokens(&inbound.headers),
        priority: wishes.priority.unwrap_or_default(),
        deadline: budgets.min().map(|ms| arrived + Duration::from_millis(ms)),
    };
    let door = enter(core, ask, inbound.dialect).await?;
    let entered = Entered { arrived, door, wishes };
    let id = RequestId(Uuid::now_v7());
    let Admitted { mut request, mut outgoing } = admit(core, snapshot, key, id, inbound, entered).await?;
    if request.operation == Operation::CountTokens {
        return Box::pin(count(request, outgoing)).await;
    }
    if let Err(error) = plan::decide(&mut request, &mut outgoing).await {
        return Err(deliver::refuse(request, error));
    }
    if !request.skim.stream {
        return match execute::run(&mut request, &outgoing).await {
            Ok(committed) => Ok(deliver::deliver(request, committed)),
            Err(error) => Err(deliver::refuse(request, error)),
        };
    }
    let manner = Manner::of(&request);
    let headers = deliver::stream::waiting_headers(&request);
    let mut pending: deliver::stream::Pending = Box::pin(async move {
        resume::prepare(&mut request, &mut outgoing);
        let result = execute::run(&mut request, &outgoing).await;
        request.kept = outgoing.watch.is_some().then(|| Box::new(outgoing));
        (request, result)
    });
    match timeout(manner.patience(), pending.as_mut()).await {
        Ok((request, Ok(committed))) => Ok(deliver::deliver(request, committed)),
        Ok((request, Err(error))) => Err(deliver::refuse(request, error)),
        Err(_) => Ok(deliver::stream::deliver_waiting(headers, manner, pending)),
    }
}

/// A gateway that stops takes nothing new.
pub(crate) fn refuse_while_draining(core: &Core) -> Result<(), Error> {
    if !core.draining.load(Ordering::Relaxed) {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::ShuttingDown,
        "the gateway is stopping: send the request to another one, or again soon",
    );
    Err(error.retry_after(Duration::from_secs(1)))
}

/// Counts the tokens of a prompt: by the model's own provider, where it counts in the caller's dialect; an estimate is
/// given where none does, or none can now.
async fn count(mut request: Request, mut outgoing: Outgoing) -> Result<Answer, Refusal> {
    let counted = match plan::decide(&mut request, &mut outgoing).await {
        Ok(()) => execute::run(&mut request, &outgoing).await,
        Err(error) => Err(error),
    };
    match counted {
        Ok(committed) => Ok(deliver::deliver(request, committed)),
        Err(error)
            if error.kind.facts().fault == Fault::Upstream || error.kind == ErrorKind::NothingCapable =>
        {
            Ok(deliver::estimate(request))
        }
        Err(error) => Err(deliver::refuse(request, error)),
    }
}

/// Waits for its turn. The body is still unread: what waits takes no memory for it.
async fn enter(core: &Core, ask: Ask, dialect: Dialect) -> Result<Permit, Refusal> {
    core.door.enter(ask).await.map_err(|refusal| {
        core.metrics.door_refused(refusal.reason);
        let error = Error::from(refusal);
        let operation = codec_for(dialect).operation();
        core.metrics.request_ended(operation, error.status(), Some(error.kind));
        error.into()
    })
}
