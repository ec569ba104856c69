//! A traffic generator: seeded, deterministic stories of users of instant messengers and of the access network, each with the
//! account of what a firewall that watched it should have said.
//!
//! The protocols are written here from their layouts on the wire, by other hands than the signatures that recognise them,
//! so that agreement between the two means something.

pub mod background;
pub mod dhcp;
pub mod dice;
pub mod eapol;
pub mod frames;
pub mod msf;
pub mod pcap;
pub mod pppoe;
pub mod qq;
pub mod radius;
pub mod script;
pub mod stories;
pub mod story;
pub mod tcp;
pub mod tea;
pub mod traffic;
pub mod wechat;
