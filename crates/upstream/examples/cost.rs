//! What a call costs: CPU time of the calling thread per request, through the pools and through hyper-util's client,
//! against a server on another thread. Linux only.
//!
//! `cargo run --release -p trunkline-upstream --example cost`

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use trunkline_upstream::connect::allow::DenyList;
use trunkline_upstream::connect::resolve::SystemResolver;
use trunkline_upstream::connect::tls::{Authorities, RootStore};
use trunkline_upstream::dispatch::{Call, Dispatch as _};
use trunkline_upstream::origin::Origin;
use trunkline_upstream::pool::{PoolLimits, PoolOptions, Pools};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const ROUNDS: usize = 5;
const REQUESTS: u32 = 20_000;
const REQUEST: &[u8] = &[b'q'; 1024];
const ANSWER: &[u8] = &[b'a'; 1536];

#[expect(clippy::print_stdout, reason = "the example's purpose is to print a figure")]
fn main() -> Result<(), Failure> {
    let address = serve()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for _ in 0..ROUNDS {
        let pools = runtime.block_on(measure(through_pools(address)))?;
        let plain = runtime.block_on(measure(through_hyper_util(address)))?;
        println!("pools {:.1} µs, hyper-util {:.1} µs a request", micros(pools), micros(plain));
    }
    Ok(())
}

fn micros(spent: Duration) -> f64 {
    spent.as_secs_f64() * 1e6 / f64::from(REQUESTS)
}

async fn measure(work: impl Future<Output = Result<(), Failure>>) -> Result<Duration, Failure> {
    let before = thread_cpu()?;
    work.await?;
    Ok(thread_cpu()?.saturating_sub(before))
}

/// proc(5): the first field of `schedstat` is the time spent on the CPU, in nanoseconds.
fn thread_cpu() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let spent = text.split_whitespace().next().ok_or("no figure in schedstat")?;
    Ok(Duration::from_nanos(spent.parse()?))
}

async fn through_pools(address: SocketAddr) -> Result<(), Failure> {
    let pools = Pools::new(PoolOptions {
        limits: PoolLimits::default(),
        roots: Arc::new(RootStore::new(&[Authorities::Bundled])?),
        resolver: Arc::new(SystemResolver::default()),
        deny: DenyList::default(),
    });
    let origin = Arc::new(Origin::parse(&format!("http://{address}/v1"))?);
    for _ in 0..REQUESTS {
        let call = Call {
            origin: Arc::clone(&origin),
            method: Method::POST,
            path: "/chat/completions".to_owned(),
            headers: headers(),
            authorization: None,
            body: Bytes::from_static(REQUEST).into(),
            connect_timeout: Duration::from_secs(10),
            headers_timeout: Duration::from_mins(1),
        };
        let mut response = pools.dispatch(call).await?;
        while let Some(piece) = response.body.next().await {
            piece?;
        }
    }
    Ok(())
}

async fn through_hyper_util(address: SocketAddr) -> Result<(), Failure> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    for _ in 0..REQUESTS {
        let mut request = Request::new(Full::new(Bytes::from_static(REQUEST)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{address}/v1/chat/completions").parse()?;
        *request.headers_mut() = headers();
        let response = tokio::time::timeout(Duration::from_mins(1), client.request(request)).await??;
        response.into_body().collect().await?;
    }
    Ok(())
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("accept", HeaderValue::from_static("application/json"));
    headers.insert("authorization", HeaderValue::from_static("Bearer sk-not-a-key"));
    headers
}

/// A server on a thread of its own.
fn serve() -> Result<SocketAddr, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || runtime.block_on(accept(listener)));
    Ok(address)
}

async fn accept(listener: std::net::TcpListener) -> Result<(), Failure> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // Read to its end, or the connection would not be kept.
    drop(request.into_body().collect().await);
    Ok(Response::new(Full::new(Bytes::from_static(ANSWER))))
}
