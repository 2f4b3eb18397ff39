//! Who the client is, for the log: the right-most address of the forwarded chain that is not a trusted proxy's.
//! Everything further left was written by somebody nobody vouches for. Nothing is decided by it.
//!
//! `x-forwarded-for` and, where that is missing, `forwarded` (RFC 7239 §5.2).

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::front::Peer;

/// The longest chain that is looked at.
const HOPS_MAX: usize = 32;

/// The client's address, as text.
pub(crate) fn client(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> String {
    let Peer::Tcp(address) = peer else { return peer.to_string() };
    let mut client = address.ip();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    if is_trusted(client) {
        for hop in chain(headers) {
            // A hop that is no address ends what can be believed.
            let Some(hop) = hop else { break };
            client = hop.to_canonical();
            if !is_trusted(client) {
                break;
            }
        }
    }
    client.to_string()
}

/// The hops, right-most first.
fn chain(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let list = |name: &str| -> Vec<String> {
        let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<String> =
            lines.flat_map(|line| line.split(',')).map(|hop| hop.trim().to_owned()).collect();
        hops.into_iter().rev().take(HOPS_MAX).collect()
    };
    let plain = list("x-forwarded-for");
    if plain.is_empty() {
        return list("forwarded").iter().map(|hop| address(forwarded_for(hop)?)).collect();
    }
    plain.iter().map(|hop| address(hop)).collect()
}

/// The value of `for=` in one element of `forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address, with or without a port or brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client(Peer::Tcp(SocketAddr::new(peer.parse().unwrap(), 1)), &map, &trusted)
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(seen("203.0.113.7", &[("x-forwarded-for", "1.2.3.4")], &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(seen("203.0.113.7", &[("x-forwarded-for", "1.2.3.4")], &[]), "203.0.113.7");
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        let chain = [("x-forwarded-for", "6.6.6.6, 198.51.100.1"), ("x-forwarded-for", "10.0.0.9")];
        assert_eq!(seen("10.0.0.1", &chain, &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &[("x-forwarded-for", "10.0.0.2")], &["10.0.0.0/8"]), "10.0.0.2");
        let nonsense = [("x-forwarded-for", "6.6.6.6, unknown, 10.0.0.9")];
        assert_eq!(seen("10.0.0.1", &nonsense, &["10.0.0.0/8"]), "10.0.0.9");
    }

    #[test]
    fn both_headers_and_ports_are_understood() {
        let forwarded = [("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:4711\";proto=https")];
        assert_eq!(seen("::1", &forwarded, &["::1/128"]), "2001:db8::1");
        assert_eq!(seen("::1", &[("x-forwarded-for", "198.51.100.1:55")], &["::1/128"]), "198.51.100.1");
    }
}
