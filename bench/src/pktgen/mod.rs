//! A traffic generator: seeded, deterministic stories of instant-messaging users, each with the account of what a firewall
//! that watched it should have said.
//!
//! The protocols are written here from their layouts on the wire, by other hands than the signatures that recognise them,
//! so that agreement between the two means something.

pub mod background;
pub mod dice;
pub mod frames;
pub mod msf;
pub mod pcap;
pub mod qq;
pub mod script;
pub mod stories;
pub mod story;
pub mod tcp;
pub mod tea;
pub mod traffic;
pub mod wechat;
