//! What is measured: everything that the firewall counts, by worker, port, log host, class and so on. What a label may say
//! is a name of the configuration or one of a few words: there are only so many samples.

mod control;
mod delivery;
mod packets;

use super::text::{Form, Kind, Page};
use super::{Measured, Tally};

/// The page.
pub(super) fn page(measured: &Measured, tally: &Tally, form: Form) -> String {
    let mut page = Page::new(form);
    control::process(&mut page, measured);
    packets::workers(&mut page, &measured.cores);
    packets::cores(&mut page, &measured.cores);
    packets::ports(&mut page, &measured.ports);
    packets::pools(&mut page, measured);
    delivery::records(&mut page, &measured.records);
    delivery::hosts(&mut page, &measured.hosts);
    delivery::spools(&mut page, measured);
    control::users(&mut page, measured);
    control::trail(&mut page, measured);
    control::management(&mut page, measured);
    control::scrapes(&mut page, tally);
    page.finish()
}

/// A family that takes a number of each row.
struct Family<R> {
    name: &'static str,
    kind: Kind,
    unit: Option<&'static str>,
    help: &'static str,
    value: fn(&R) -> u64,
}

/// A counter of things.
const fn counter<R>(name: &'static str, help: &'static str, value: fn(&R) -> u64) -> Family<R> {
    Family { name, kind: Kind::Counter, unit: None, help, value }
}

/// A counter of octets.
const fn octets<R>(name: &'static str, help: &'static str, value: fn(&R) -> u64) -> Family<R> {
    Family { name, kind: Kind::Counter, unit: Some("bytes"), help, value }
}

/// A gauge of things.
const fn gauge<R>(name: &'static str, help: &'static str, value: fn(&R) -> u64) -> Family<R> {
    Family { name, kind: Kind::Gauge, unit: None, help, value }
}

/// A gauge of octets.
const fn size<R>(name: &'static str, help: &'static str, value: fn(&R) -> u64) -> Family<R> {
    Family { name, kind: Kind::Gauge, unit: Some("bytes"), help, value }
}

/// Writes families of the same rows, which have these labels.
fn table<'a, R, const N: usize>(
    page: &mut Page,
    rows: &'a [R],
    labels: impl Fn(&'a R) -> [(&'a str, &'a str); N],
    families: &[Family<R>],
) {
    for family in families {
        page.family(family.name, family.kind, family.unit, family.help);
        for row in rows {
            page.sample(&labels(row), (family.value)(row));
        }
    }
}
