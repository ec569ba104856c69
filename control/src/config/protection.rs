//! `[protection]`: from zones and the names of addresses to what each port lets in.

use dataplane::guard::{OriginRule, Protection};
use dataplane::policy::AddressRange;

use super::document::Notes;
use super::fault::Place;
use super::group::{ANY, Groups, quoted};
use super::near;
use super::port::Ports;
use super::schema::Source;
use super::schema::protection::Zone;

/// Resolves the section.
pub(super) fn compile(
    source: &Source,
    ports: &Ports,
    addresses: &Groups<AddressRange>,
    notes: &mut Notes,
) -> Protection {
    let written = &source.protection;
    for zone in &written.zones {
        check(zone, &ports.zones, notes);
    }
    let networks: Vec<Vec<AddressRange>> =
        written.zones.iter().map(|zone| addresses.look_up(&zone.networks, notes)).collect();
    let origin = |zone: &String| {
        let own = written.zones.iter().position(|of| of.name.value == *zone);
        let settings = own.map(|at| &written.zones[at]);
        let mut rule = OriginRule {
            networks: own.map(|at| networks[at].clone()).unwrap_or_default(),
            drop_bogons: settings.is_some_and(|zone| zone.drop_bogons),
            ..OriginRule::default()
        };
        let reverse = settings.and_then(|zone| zone.reverse_check.as_ref()).is_none_or(|on| on.value);
        // What a zone with networks of its own lets in is said by those alone, so that two zones may share some.
        if reverse && rule.networks.is_empty() {
            rule.elsewhere = networks.iter().flatten().copied().collect();
        }
        rule
    };
    let by_zone: Vec<OriginRule> = ports.zones.iter().map(origin).collect();
    let origins = ports.port_zones.iter().map(|zone| by_zone.get(usize::from(zone.0)).cloned().unwrap_or_default());
    let mirror = source.dataplane.mirror.as_ref();
    if let Some(mirror) = mirror.filter(|mirror| mirror.value) {
        check_mirror(source, &mirror.place, notes);
    }
    let has_sides = !mirror.is_some_and(|mirror| mirror.value);
    Protection { origins: origins.collect(), has_sides, ..written.protection.clone() }
}

/// Of a copy nothing can be said by where it came in, and nothing done to it.
fn check_mirror(source: &Source, place: &Place, notes: &mut Notes) {
    let hindrances = [
        (source.protection.zones.iter().any(|zone| !zone.networks.is_empty()), "[protection] zones with networks"),
        (!source.interfaces.is_empty(), "[[interface]]"),
        (!source.nat.is_empty(), "[nat]"),
    ];
    for (_, what) in hindrances.iter().filter(|(there, _)| *there) {
        let expected = format!("no {what} beside it: copies of both directions come in by one port");
        notes.fault(place, Some("true".to_owned()), expected, "remove one of both");
    }
}

fn check(zone: &Zone, zones: &[String], notes: &mut Notes) {
    if !zones.contains(&zone.name.value) {
        let advice =
            near::suggest(&zone.name.value, zones.iter().map(String::as_str), "name a zone that a [[port]] has");
        notes.fault(&zone.name.place, Some(quoted(&zone.name.value)), "the zone of a port", advice);
    }
    if let Some(any) = zone.networks.iter().find(|item| item.value == ANY) {
        let advice = "leave networks out, or list the zone's networks";
        notes.fault(&any.place, Some(quoted(ANY)), "networks; without the key any address may come in", advice);
    }
    if let Some(reverse) = &zone.reverse_check
        && !zone.networks.is_empty()
    {
        let expected = "no reverse-check beside networks, which say already what may come in";
        notes.fault(&reverse.place, Some(reverse.value.to_string()), expected, "remove it");
    }
}
