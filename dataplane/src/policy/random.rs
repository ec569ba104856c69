//! Policies like those that people write, made up from a seed: networks within networks, ranges that overlap, common ports
//! and odd ones, both families; and queries that stand where rules begin and end.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sigdb::AppId;

use super::*;

/// Draws policies and queries.
pub(crate) struct Dice(SmallRng);

/// Networks that rules are about, as their first octets.
const NETWORKS: [&[u8]; 5] = [&[10], &[10, 1], &[192, 0, 2], &[198, 51, 100], &[203, 0, 113]];
/// And of IPv6.
const WIDE_NETWORKS: [&[u8]; 3] = [&[0x20, 1, 0x0d, 0xb8], &[0x20, 1, 0x0d, 0xb8, 0, 1], &[0xfd, 0]];

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    pub(crate) fn policy(&mut self, rules: usize) -> PolicySource {
        PolicySource {
            rules: (0..rules).map(|_| self.rule()).collect(),
            implicit_deny_logging: self.one_in(2),
            full_identification: self.one_in(2),
            zones: Vec::new(),
        }
    }

    fn one_in(&mut self, of: u32) -> bool {
        self.0.random_ratio(1, of)
    }

    fn several<T>(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.0.random_range(0..=most)).map(|_| item(self)).collect()
    }

    fn rule(&mut self) -> RuleSource {
        let action = *[Action::Permit, Action::Deny, Action::Reset].choose(&mut self.0).expect("three");
        RuleSource {
            from: self.several(2, |dice| ZoneId(dice.0.random_range(0..5))),
            to: self.several(2, |dice| ZoneId(dice.0.random_range(0..5))),
            source: self.several(3, Self::range),
            destination: self.several(3, Self::range),
            service: self.several(2, Self::service),
            application: if self.one_in(4) { self.several(3, |dice| AppId(dice.0.random_range(1..9))) } else { vec![] },
            users: if self.one_in(5) { self.0.random::<u64>() & 0x1f } else { 0 },
            action,
            session_logging: self.one_in(2),
            profile: self.one_in(5),
            source_nat: None,
        }
    }

    fn address(&mut self) -> Address {
        if self.one_in(3) {
            let mut octets: [u8; 16] = self.0.random();
            let network = WIDE_NETWORKS.choose(&mut self.0).expect("some");
            octets[..network.len()].copy_from_slice(network);
            // Few subnets, or rules would never meet.
            octets[network.len()..8].iter_mut().for_each(|octet| *octet &= 1);
            return Address(octets);
        }
        let mut octets: [u8; 4] = self.0.random();
        let network = NETWORKS.choose(&mut self.0).expect("some");
        octets[..network.len()].copy_from_slice(network);
        octets[network.len()..3].iter_mut().for_each(|octet| *octet &= 3);
        Address::v4(octets)
    }

    fn range(&mut self) -> AddressRange {
        let first = self.address();
        let value = u128::from_be_bytes(first.0);
        let address = |value: u128| Address(value.to_be_bytes());
        match self.0.random_range(0..8) {
            0..2 => AddressRange { first, last: first },
            2..6 => {
                let bits = if first.is_v4() { self.0.random_range(0..25) } else { self.0.random_range(0..100) };
                let free = (1 << bits) - 1;
                AddressRange { first: address(value & !free), last: address(value | free) }
            }
            6 => {
                let length = self.0.random_range(0..2000);
                AddressRange { first, last: address(value.saturating_add(length)) }
            }
            // Now and then the wrong way round, or across the families: the configuration lets neither through.
            _ => AddressRange { first, last: self.address() },
        }
    }

    fn port(&mut self) -> u16 {
        match self.0.random_range(0..4) {
            0 => self.0.random(),
            1 => self.0.random_range(0..32),
            _ => *[22, 53, 80, 443, 8080, 65_535].choose(&mut self.0).expect("some"),
        }
    }

    fn ports(&mut self) -> PortRange {
        let first = self.port();
        match self.0.random_range(0..6) {
            0 => PortRange::ANY,
            1 => PortRange { first: 1024, last: u16::MAX },
            2 => PortRange { first, last: first.saturating_add(self.0.random_range(0..3000)) },
            3 => PortRange { first, last: self.port() },
            _ => PortRange { first, last: first },
        }
    }

    fn service(&mut self) -> ServiceMatch {
        let protocol =
            *[Some(6), Some(6), Some(17), Some(1), Some(58), Some(47), None].choose(&mut self.0).expect("some");
        let source = if self.one_in(4) { self.ports() } else { PortRange::ANY };
        ServiceMatch { protocol, source, destination: self.ports() }
    }

    /// Half of them at, or just past, the edges of what some rule lists.
    pub(crate) fn query(&mut self, rules: &[RuleSource]) -> Query {
        let rule = rules[self.0.random_range(0..rules.len())].clone();
        let service = rule.service.choose(&mut self.0).copied();
        let protocol = service.and_then(|service| service.protocol);
        let zone = |zones: &[ZoneId], dice: &mut Self| match zones.choose(&mut dice.0) {
            Some(zone) if !dice.one_in(8) => *zone,
            _ => ZoneId(dice.0.random_range(0..6)),
        };
        Query {
            from: zone(&rule.from, self),
            to: zone(&rule.to, self),
            source: self.address_near(&rule.source),
            destination: self.address_near(&rule.destination),
            protocol: match protocol {
                Some(protocol) if !self.one_in(8) => protocol,
                _ => *[6, 17, 1, 58, 47, 132].choose(&mut self.0).expect("some"),
            },
            source_port: self.port_near(service.map(|service| service.source)),
            destination_port: self.port_near(service.map(|service| service.destination)),
            application: match self.0.random_range(0..4) {
                0 => Application::Undecided,
                1 => Application::Unknown,
                _ => Application::Named(AppId(self.0.random_range(1..10))),
            },
            labels: if self.one_in(2) { self.0.random::<u64>() & 0xf } else { 0 },
        }
    }

    fn address_near(&mut self, ranges: &[AddressRange]) -> Address {
        let Some(range) = ranges.choose(&mut self.0).copied() else { return self.address() };
        let (first, last) = (u128::from_be_bytes(range.first.0), u128::from_be_bytes(range.last.0));
        let value = match self.0.random_range(0..8) {
            0 => return self.address(),
            1 => first.wrapping_sub(1),
            2 => last.wrapping_add(1),
            3 => first,
            4 => last,
            _ if first < last => self.0.random_range(first..=last),
            _ => first,
        };
        Address(value.to_be_bytes())
    }

    fn port_near(&mut self, range: Option<PortRange>) -> u16 {
        let Some(range) = range else { return self.port() };
        match self.0.random_range(0..6) {
            0 => self.port(),
            1 => range.first.wrapping_sub(1),
            2 => range.last.wrapping_add(1),
            3 => range.last,
            _ => range.first,
        }
    }
}
