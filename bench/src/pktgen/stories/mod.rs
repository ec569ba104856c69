//! The catalogue of stories.

mod access;
mod hostile;
mod mixed;
mod msf;
mod qq;
mod wechat;

use std::net::SocketAddr;
use std::time::Duration;

use super::background;
use super::frames::{Ends, Link};
use super::script::Script;
use super::story::Tale;

/// Every story.
pub fn all() -> impl Iterator<Item = &'static Tale> {
    [qq::TALES, msf::TALES, wechat::TALES, mixed::TALES, access::TALES, hostile::TALES].into_iter().flatten()
}

/// The story of that name.
pub fn find(name: &str) -> Option<&'static Tale> {
    all().find(|tale| tale.name == name)
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Ends of a flow between the story's user and a server, IPv4.
fn ends(client_port: u16, server: u8, server_port: u16) -> Ends {
    Ends {
        client: SocketAddr::from(([10, 1, 7, 20], client_port)),
        server: SocketAddr::from(([203, 0, 113, server], server_port)),
    }
}

/// The same in IPv6.
fn ends_v6(client_port: u16, server: u16, server_port: u16) -> Ends {
    Ends {
        client: SocketAddr::from(([0x2001, 0xdb8, 1, 7, 0, 0, 0, 0x20], client_port)),
        server: SocketAddr::from(([0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, server], server_port)),
    }
}

/// Other people's traffic beside the story and for `tail` after it.
fn surround(script: &mut Script, end: Duration, tail: Duration) {
    background::murmur(script, Duration::ZERO, end + tail);
}

/// Other people's traffic, IPv4 only by nature, where the story's own link is used.
const fn plain() -> Link {
    Link::plain()
}
