//! Address rules: where no connection goes, even if a name resolves there.
//!
//! A public name may be made to resolve to the machine's own metadata service (DNS rebinding), which hands out the
//! machine's cloud credentials. Such addresses are refused after resolution, unless the operator wrote the address
//! itself into the base URL. Loopback and private networks are allowed: local servers live there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `address/prefix`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some(Self { address, prefix })
    }

    const fn new(address: IpAddr, prefix: u8) -> Self {
        Self { address, prefix }
    }

    /// Whether the address lies in it. An IPv4 address written as IPv6 (`::ffff:…`) counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.prefix));
                u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.prefix));
                u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Networks that are never connected to by name.
#[derive(Clone, Debug)]
pub struct DenyList(Vec<Network>);

impl DenyList {
    /// These networks and no others.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether a name may lead here.
    pub fn allows(&self, address: IpAddr) -> bool {
        !self.0.iter().any(|network| network.contains(address))
    }
}

impl Default for DenyList {
    /// Link-local addresses (RFC 3927, RFC 4291 §2.5.6), where the clouds' metadata services live, and the IPv6 address
    /// of EC2's.
    fn default() -> Self {
        Self(vec![
            Network::new(IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
            Network::new(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
            Network::new(IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), 128),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_denied_and_local_servers_are_not() {
        let deny = DenyList::default();
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
        ] {
            assert!(!deny.allows(address.parse().unwrap()), "{address}");
        }
        for address in
            ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "169.253.1.1", "fec0::1", "fd00::1", "8.8.8.8"]
        {
            assert!(deny.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_widest_and_narrowest_networks_work() {
        let all = Network::parse("0.0.0.0/0").unwrap();
        assert!(all.contains("1.2.3.4".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        let one = Network::parse("::1/128").unwrap();
        assert!(one.contains("::1".parse().unwrap()) && !one.contains("::2".parse().unwrap()));
        assert!(Network::parse("::/0").unwrap().contains("fe80::1".parse().unwrap()));
        assert!(Network::parse("10.0.0.0/33").is_none());
    }
}
