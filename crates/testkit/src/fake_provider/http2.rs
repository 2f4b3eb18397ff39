//! The provider over HTTP/2 with TLS. All streams of a connection run in its own task, so that what a stream has sent is
//! written before the stream goes on.

use std::future::poll_fn;
use std::ops::ControlFlow;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use http_body::Body as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::body::ScriptedBody;
use super::line::Line;
use super::script::{ErrorCode, Sign};
use super::serve::{BODY_MAX, respond};
use super::socket::{Socket, Watched};
use super::{Arrived, FakeProvider, Outcome, Transport};

/// Whether the connection goes on after a stream.
type Then = ControlFlow<()>;

impl ErrorCode {
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::NoError => Reason::NO_ERROR,
            Self::InternalError => Reason::INTERNAL_ERROR,
            Self::RefusedStream => Reason::REFUSED_STREAM,
            Self::Cancel => Reason::CANCEL,
            Self::EnhanceYourCalm => Reason::ENHANCE_YOUR_CALM,
        }
    }
}

pub(crate) async fn converse(socket: TcpStream, acceptor: TlsAcceptor, provider: FakeProvider) {
    let line = Line::to_socket();
    // A caller that does not trust the certificate ends here, as does one that leaves.
    let Ok(stream) = acceptor.accept(Socket::new(socket, line.clone())).await else { return };
    let Ok(mut connection) = h2::server::handshake(Watched::new(stream, line.clone())).await else { return };
    let mut streams = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(then) = streams.next() => if then == Then::Break(()) { return },
            accepted = connection.accept() => {
                let Some(Ok((request, answer))) = accepted else { return };
                let line = line.of_stream(u32::from(answer.stream_id()));
                streams.push(Box::pin(serve(&provider, request, answer, line)));
            }
        }
    }
}

/// One stream.
async fn serve(
    provider: &FakeProvider,
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
    line: Line,
) -> Then {
    if let Some(sign) = provider.refuses_next() {
        return part(Some(sign), &line, |reason| answer.send_reset(reason)).await;
    }
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else { return Then::Continue(()) };
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let arrived =
        Arrived { method: head.method, path, headers: head.headers, body, transport: Transport::Tcp };
    let outcome = tokio::select! {
        outcome = provider.receive(arrived, line.clone()) => outcome,
        _ = poll_fn(|context| answer.poll_reset(context)) => return Then::Continue(()),
    };
    match outcome {
        Outcome::Close(sign) => part(sign, &line, |reason| answer.send_reset(reason)).await,
        Outcome::Respond { status, headers, mut body } => {
            let Ok(head) = respond(status, headers) else { return Then::Break(()) };
            let Ok(mut stream) = answer.send_response(head, false) else { return Then::Continue(()) };
            match send(&mut stream, &mut body).await {
                Sent::Done => Then::Continue(()),
                Sent::Broken => part(body.sign(), &line, |reason| stream.send_reset(reason)).await,
            }
        }
    }
}

async fn read(mut body: RecvStream) -> Option<Bytes> {
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        body.flow_control().release_capacity(piece.len()).ok()?;
        all.extend_from_slice(&piece);
        if all.len() > BODY_MAX {
            return None;
        }
    }
    Some(all.into())
}

/// What became of a body.
enum Sent {
    /// It is sent, or the caller has left.
    Done,
    /// The script breaks it off here.
    Broken,
}

async fn send(stream: &mut SendStream<Bytes>, body: &mut ScriptedBody) -> Sent {
    loop {
        let piece = tokio::select! {
            piece = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)) => piece,
            _ = poll_fn(|context| stream.poll_reset(context)) => return Sent::Done,
        };
        let (bytes, last) = match piece {
            Some(Ok(frame)) => (frame.into_data().unwrap_or_default(), false),
            Some(Err(_)) => return Sent::Broken,
            None => (Bytes::new(), true),
        };
        if stream.send_data(bytes, last).is_err() || last {
            return Sent::Done;
        }
    }
}

/// Ends a stream with a sign; without one, the whole connection.
async fn part(sign: Option<Sign>, line: &Line, reset: impl FnOnce(Reason)) -> Then {
    if line.resets() {
        return Then::Break(());
    }
    match sign {
        Some(Sign::RstStream(code)) => {
            reset(code.reason());
            return Then::Continue(());
        }
        Some(sign @ Sign::LeftOut) => {
            line.go_away(sign);
        }
        Some(sign @ Sign::GoAway(_)) => {
            line.go_away(sign);
            line.hang_up();
        }
        None => line.hang_up(),
    }
    // A stream that is dropped is reset: not before that is said.
    let mut since = None;
    poll_fn(|context| line.poll_flush(&mut since, context)).await;
    Then::Continue(())
}
