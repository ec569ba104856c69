//! What the whole-system tests stand on: the built program, real collectors, network namespaces, captures and stories.
//!
//! A test that this machine cannot run says so through [`skip::skip`]; `scripts/test` counts those apart.

pub mod access;
pub mod book;
pub mod browser;
pub mod cable;
pub mod captures;
pub mod certificates;
pub mod commits;
pub mod consoles;
pub mod conversation;
pub mod disorder;
pub mod firewall;
pub mod ipfix;
pub mod netconf;
pub mod netns;
pub mod policy;
pub mod process;
pub mod program;
pub mod pseudonym;
pub mod qq;
pub mod radius;
pub mod rsyslog;
pub mod skip;
pub mod sshd;
pub mod stories;
pub mod trail;
pub mod tshark;
