//! What the configuration says of access users.

use std::sync::Arc;
use std::time::Duration;

use dataplane::access::{AccessSettings, Source};
use sigdb::{AppId, Database};

use crate::presence::access::AccessLimits;
use crate::record::ipfix::AccessVersion;

/// Access users: where they are looked for, how long they are believed, and what of them is recorded.
#[derive(Clone, Debug)]
pub struct AccessConfig {
    /// What workers need to know.
    pub settings: Arc<AccessSettings>,
    /// Users at most, 1,000 to 4,000,000.
    pub max_users: usize,
    /// How long a user of whom nothing is heard is believed to be there, where the source says no other time; none: until it
    /// says otherwise.
    pub silence: Option<Duration>,
    /// The same of a PPPoE session that answered echoes.
    pub echo_timeout: Duration,
    /// Whether logins and logouts are recorded.
    pub records_access: bool,
    /// Whether results of logins are recorded.
    pub records_call_status: bool,
    /// What binary records of logins and logouts have.
    pub version: AccessVersion,
}

impl AccessConfig {
    /// Users at most, unless told otherwise.
    pub const MAX_USERS: usize = 100_000;
    /// How long a silent user is believed to be there, unless told otherwise.
    pub const SILENCE: Duration = Duration::from_secs(24 * 3600);
    /// The same of a PPPoE session.
    pub const ECHO_TIMEOUT: Duration = Duration::from_secs(180);
    /// Events of access users that wait for control at most, of one worker: 3 MiB.
    pub const EVENTS: usize = 4_096;
    /// UDP ports of RADIUS unless told otherwise: RFC 2865 and 2866, the ports before them, RFC 5176.
    pub const PORTS: [u16; 5] = [1812, 1813, 1645, 1646, 3799];

    /// What the table of users is bound by.
    pub fn limits(&self) -> AccessLimits {
        AccessLimits { users: self.max_users, silence: self.silence, echo_timeout: self.echo_timeout }
    }

    /// Nothing recorded; users are followed by these sources all the same, so that other records can name them.
    pub(super) fn following(sources: &[Source], database: &Database) -> Self {
        let settings = AccessSettings {
            sources: sources.to_vec(),
            ports: Self::PORTS.to_vec(),
            applications: names(database),
            believes_unknown: true,
            ..AccessSettings::default()
        };
        Self {
            settings: Arc::new(settings),
            max_users: Self::MAX_USERS,
            silence: Some(Self::SILENCE),
            echo_timeout: Self::ECHO_TIMEOUT,
            records_access: false,
            records_call_status: false,
            version: AccessVersion::default(),
        }
    }
}

/// Where users are looked for unless told otherwise.
pub(super) const SOURCES: [Source; 4] = [Source::Radius, Source::Pppoe, Source::Dhcp, Source::Dot1x];

/// The numbers of the applications by which users sign on.
fn names(database: &Database) -> Vec<AppId> {
    ["radius", "dhcp", "dhcpv6"].into_iter().filter_map(|name| database.by_name(name)).collect()
}
