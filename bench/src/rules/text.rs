//! A made-up policy as an operator would have written it.

use std::fmt::Write;

use dataplane::endpoint::Address;
use dataplane::policy::{Action, AddressRange, PortRange, ServiceMatch, ZoneId};

use super::{Item, Rules, ZONES};

impl Rules {
    /// `[address]` and `[[rule]]` of the policy file; what stands before names ports in [`ZONES`].
    pub fn text(&self) -> String {
        let mut text = String::from("[address]\n");
        for (number, ranges) in self.objects.iter().enumerate() {
            put(&mut text, &format!("site-{number}"), ranges.iter().copied().map(range));
        }
        for (number, rule) in self.rules.iter().enumerate() {
            let action = match rule.action {
                Action::Permit => "permit",
                Action::Deny => "deny",
                Action::Reset => "reset",
            };
            text.push_str("\n[[rule]]\n");
            // Writing into a text cannot fail.
            let _ = writeln!(text, "name = \"rule-{}\"\naction = \"{action}\"", number + 1);
            put(&mut text, "from", rule.from.iter().map(zone));
            put(&mut text, "to", rule.to.iter().map(zone));
            put(&mut text, "source", rule.source.iter().map(item));
            put(&mut text, "destination", rule.destination.iter().map(item));
            put(&mut text, "service", rule.service.iter().map(service));
            if rule.session_logging {
                text.push_str("session-logging = true\n");
            }
        }
        text
    }
}

/// A list, left out where it is empty.
fn put(text: &mut String, key: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.map(|item| format!("\"{item}\"")).collect();
    if !items.is_empty() {
        let _ = writeln!(text, "{key} = [{}]", items.join(", "));
    }
}

fn zone(zone: &ZoneId) -> String {
    ZONES[usize::from(zone.0)].to_owned()
}

fn item(item: &Item) -> String {
    match *item {
        Item::Range(addresses) => range(addresses),
        Item::Object(number) => format!("site-{number}"),
    }
}

fn range(AddressRange { first, last }: AddressRange) -> String {
    let value = |address: Address| u128::from_be_bytes(address.0);
    let free = (value(first) ^ value(last)).count_ones();
    let block = 1u128.checked_shl(free).map_or(u128::MAX, |past| past - 1);
    if first == last {
        first.ip().to_string()
    } else if value(first) ^ value(last) == block && value(first) & block == 0 {
        let bits = if first.is_v4() { 32 } else { 128 };
        format!("{}/{}", first.ip(), bits - free)
    } else {
        format!("{}-{}", first.ip(), last.ip())
    }
}

fn service(service: &ServiceMatch) -> String {
    let protocol = if service.protocol == Some(17) { "udp" } else { "tcp" };
    match service.destination {
        PortRange::ANY => protocol.to_owned(),
        PortRange { first, last } if first == last => format!("{protocol}/{first}"),
        PortRange { first, last } => format!("{protocol}/{first}-{last}"),
    }
}
