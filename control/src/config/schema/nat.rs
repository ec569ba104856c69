//! `[nat.NAME]`: pools of source NAT.

use std::num::NonZeroU16;
use std::time::Duration;

use dataplane::policy::PortRange;
use toml::de::DeValue;

use super::super::document::{Located, Notes, Section};
use super::super::value::{self, Refusal};

/// One `[nat.NAME]`.
#[derive(Debug)]
pub(crate) struct NatPool {
    /// Its name.
    pub(crate) name: Located<String>,
    /// `pool`: its addresses, as in `[address]`.
    pub(crate) pool: Vec<Located<String>>,
    /// `ports`; default 1024 to 65535.
    pub(crate) ports: PortRange,
    /// `ports-per-host` of each protocol; default: no limit.
    pub(crate) ports_per_host: Option<NonZeroU16>,
    /// `port-hold`: how long a port is kept from others after its last session; default two minutes (RFC 6888, REQ-8).
    pub(crate) hold: Duration,
}

const POOL: &str = "the pool's addresses, like [\"198.51.100.10-198.51.100.20\"]";
const HOLD: Duration = Duration::from_secs(120);
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

impl NatPool {
    pub(super) fn read_all(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Vec<Self> {
        let sections = section.map_or_else(Vec::new, |section| section.named_tables(notes));
        sections.into_iter().map(|(name, section)| Self::read(name, section, notes)).collect()
    }

    fn read(name: Located<String>, mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let pool = section.required_list("pool", notes, POOL, value::text).map(|list| list.value).unwrap_or_default();
        let ports = section.optional("ports", notes, port_range);
        let per_host = section.optional("ports-per-host", notes, value::number(1_u16, u16::MAX));
        let hold = section.optional("port-hold", notes, value::duration(Duration::ZERO, LONGEST_HOLD));
        section.finish(notes);
        Self {
            name,
            pool,
            ports: ports.map_or(PortRange { first: 1024, last: u16::MAX }, |ports| ports.value),
            ports_per_host: per_host.and_then(|number| NonZeroU16::new(number.value)),
            hold: hold.map_or(HOLD, |hold| hold.value),
        }
    }
}

fn port_range(value: &DeValue<'_>) -> Result<PortRange, Refusal> {
    let refusal = || Refusal::new("ports FIRST-LAST, from 1 to 65535", "write them like \"1024-65535\", in quotes");
    let text = value::text(value)?;
    let (first, last) = text.split_once('-').ok_or_else(refusal)?;
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = port(first).zip(port(last)).ok_or_else(refusal)?;
    if first > last {
        return Err(Refusal::new("a range from the lowest to the highest", format!("write \"{last}-{first}\"")));
    }
    Ok(PortRange { first, last })
}
