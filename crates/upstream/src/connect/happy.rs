//! Happy Eyeballs (RFC 8305): addresses of both families tried in turn, the next one started when one fails or 250 ms
//! have passed; the first connection wins and the others are dropped.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

/// RFC 8305 §5: the recommended Connection Attempt Delay.
const STAGGER: Duration = Duration::from_millis(250);
/// Further addresses of a name are not tried.
const ADDRESSES_MAX: usize = 8;

/// RFC 8305 §4: IPv6 first, then the families in turn, the resolver's order kept within each.
pub(super) fn interleave(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut v6 = addresses.iter().filter(|address| address.is_ipv6());
    let mut v4 = addresses.iter().filter(|address| address.is_ipv4());
    let mut ordered = Vec::with_capacity(addresses.len());
    loop {
        let (next_v6, next_v4) = (v6.next(), v4.next());
        if next_v6.is_none() && next_v4.is_none() {
            ordered.truncate(ADDRESSES_MAX);
            return ordered;
        }
        ordered.extend(next_v6.into_iter().chain(next_v4));
    }
}

/// The first success; the first failure when all failed; `None` when there is nothing to try.
pub(super) async fn race<T, E, F>(addresses: Vec<IpAddr>, dial: impl Fn(IpAddr) -> F) -> Option<Result<T, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut first_failure = None;
    running.push(dial(waiting.next()?));
    let mut next_start = Instant::now() + STAGGER;
    loop {
        tokio::select! {
            biased;
            finished = running.next(), if !running.is_empty() => match finished {
                Some(Ok(connection)) => return Some(Ok(connection)),
                Some(Err(error)) => {
                    first_failure.get_or_insert(error);
                    next_start = Instant::now();
                }
                None => {}
            },
            () = tokio::time::sleep_until(next_start), if waiting.len() > 0 => {
                running.extend(waiting.next().map(&dial));
                next_start = Instant::now() + STAGGER;
            },
            else => return first_failure.map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_ipv6_begins() {
        let ordered = interleave(&addresses(&["1.1.1.1", "1.1.1.2", "::1", "1.1.1.3"]));
        assert_eq!(ordered, addresses(&["::1", "1.1.1.1", "1.1.1.2", "1.1.1.3"]));
        assert_eq!(interleave(&vec!["::1".parse().unwrap(); 20]).len(), ADDRESSES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_is_passed_over_after_the_stagger() {
        let began = Instant::now();
        let won = race(addresses(&["::1", "1.1.1.1"]), |address| async move {
            if address.is_ipv6() { pending().await } else { Ok::<_, ()>(address) }
        });
        assert_eq!(won.await, Some(Ok("1.1.1.1".parse().unwrap())));
        assert!(began.elapsed() >= STAGGER && began.elapsed() < STAGGER * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_address_is_followed_at_once() {
        let began = Instant::now();
        let won = race(addresses(&["::1", "1.1.1.1"]), |address| async move {
            if address.is_ipv6() { Err(()) } else { Ok(address) }
        });
        assert_eq!(won.await, Some(Ok("1.1.1.1".parse().unwrap())));
        assert!(began.elapsed() < STAGGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_first_address_still_wins_if_the_second_fails() {
        let won = race(addresses(&["::1", "1.1.1.1"]), |address| async move {
            if address.is_ipv4() {
                return Err("refused");
            }
            tokio::time::sleep(STAGGER * 3).await;
            Ok(address)
        });
        assert_eq!(won.await, Some(Ok("::1".parse().unwrap())));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_first_failure_is_told() {
        let lost = race(addresses(&["::1", "1.1.1.1"]), |address| async move { Err::<(), _>(address) });
        assert_eq!(lost.await, Some(Err("::1".parse().unwrap())));
        assert_eq!(race(Vec::new(), |_| async { Ok::<(), ()>(()) }).await, None);
    }
}
