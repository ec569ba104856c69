//! `ostiary netconf`: a NETCONF server (RFC 6241) as OpenSSH's subsystem.
//!
//! One process a session, run by sshd as the user who logged in. Framing, XML, filters and the way between YANG and TOML are
//! here; rights, locks, the candidate and the list of sessions are the running firewall's, which is asked over its
//! management socket, a line of JSON each way. So no XML is read by the firewall, and what a user may do is judged by the
//! credentials of this process, not by what it says.
//!
//! What the firewall does not serve is not in the hello, and answered `operation-not-supported`.

mod changes;
pub mod config_xml;
mod control;
pub mod edit;
pub mod error;
mod events;
pub mod filter;
pub mod framing;
mod hello;
mod monitoring;
mod rpc;
mod session;
mod state;
mod subscription;
pub mod xml;
mod yang;

#[cfg(test)]
mod tests;

pub use control::{Control, Refusal};
pub use hello::Serves;
pub use session::{End, Session};
pub use yang::{MODULES, module_text};

/// The namespace of NETCONF's messages.
pub const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// The namespace of our configuration.
pub const YANG: &str = "urn:ostiary:yang:ostiary";

/// The namespace of our state.
pub const STATE: &str = "urn:ostiary:yang:ostiary-state";

/// The namespace of our notifications.
pub const EVENTS: &str = "urn:ostiary:yang:ostiary-events";

/// The namespace of `get-syslog-events`.
pub const SYSLOG: &str = "urn:ostiary:yang:ostiary-syslog";

/// The namespace of notifications and subscriptions (RFC 5277).
pub const NOTIFICATION: &str = "urn:ietf:params:xml:ns:netconf:notification:1.0";

/// The namespace of the list of streams (RFC 5277, section 3.2.5).
pub const STREAMS: &str = "urn:ietf:params:xml:ns:netmod:notification";

/// The namespace of monitoring (RFC 6022).
pub const MONITORING: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";

/// The namespace of the base notifications (RFC 6470).
pub const BASE_EVENTS: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications";
