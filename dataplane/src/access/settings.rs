//! What the configuration says of access users.

use std::net::Ipv4Addr;
use std::time::Duration;

use sigdb::AppId;

use super::Source;
use crate::endpoint::Address;

/// What workers know of the access network; replaced as a whole, like the policy.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// Where sign-ons are looked for. DHCPv6 is read wherever DHCP or PPPoE is, as it tells addresses of their users; it is
    /// here only where it is to make sign-ons of its own.
    pub sources: Vec<Source>,
    /// UDP ports of RADIUS. On others it is known by what is in it, where the flow is inspected.
    pub ports: Vec<u16>,
    /// Applications by whose name a flow is watched, whatever its ports: RADIUS, DHCP, DHCPv6.
    pub applications: Vec<AppId>,
    /// Access servers and other clients of RADIUS whose secret is known.
    pub clients: Vec<RadiusClient>,
    /// Whether a client without a secret here is believed.
    pub believes_unknown: bool,
    /// DHCP servers that are believed; all where it is empty.
    pub dhcp_servers: Vec<Ipv4Addr>,
    /// Under which sign-ons are named by a number. Random, and the same as long as the state is kept.
    pub seed: u64,
    /// How often control is told that a PPPoE session lives: several times within the silence that it takes for an end.
    pub alive_every: Duration,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            ports: Vec::new(),
            applications: Vec::new(),
            clients: Vec::new(),
            believes_unknown: false,
            dhcp_servers: Vec::new(),
            seed: 0,
            alive_every: Self::ALIVE_EVERY,
        }
    }
}

/// A client of RADIUS servers.
#[derive(Clone)]
pub struct RadiusClient {
    /// Its name in the policy file.
    pub name: String,
    /// Networks that it asks from: address and prefix length, in bits of the 16 octets (IPv4 in the mapped form: 96 more).
    pub networks: Vec<(Address, u8)>,
    /// What it shares with the server, 1 octet at least.
    pub secret: Box<[u8]>,
    /// Whether its messages that carry nothing to be verified by are believed.
    pub believes_unverified: bool,
}

impl std::fmt::Debug for RadiusClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RadiusClient")
            .field("name", &self.name)
            .field("networks", &self.networks)
            .finish_non_exhaustive()
    }
}

impl AccessSettings {
    /// [`Self::alive_every`] at most.
    pub const ALIVE_EVERY: Duration = Duration::from_secs(60);

    /// Whether sign-ons of a source are looked for.
    pub fn has(&self, source: Source) -> bool {
        self.sources.contains(&source)
    }

    /// The client that asks from an address.
    pub fn client(&self, address: Address) -> Option<&RadiusClient> {
        self.clients.iter().find(|client| client.networks.iter().any(|network| contains(*network, address)))
    }
}

/// Whether a network has an address.
fn contains((network, bits): (Address, u8), address: Address) -> bool {
    let differ = u128::from_be_bytes(network.0) ^ u128::from_be_bytes(address.0);
    differ.leading_zeros() >= u32::from(bits)
}
