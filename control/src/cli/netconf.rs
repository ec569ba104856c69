//! `ostiary netconf`: a session of NETCONF on standard input and output, as sshd's subsystem.

use std::net::{IpAddr, SocketAddr};

use super::arguments::NetconfOptions;
use super::output::Failure;
use crate::manage::configure::Configure;
use crate::manage::protocol::{Action, Request};
use crate::netconf::{Control, End, Refusal, Session};

pub(super) fn netconf(options: &NetconfOptions) -> Result<(), Failure> {
    let path = &options.socket;
    let control = Control::connect(path).map_err(|error| {
        Failure::Input(format!("{}: {error}; is ostiary running, and may this user ask it?", path.display()))
    })?;
    // All that it needs is open: what a client sends is read with nothing else in reach.
    crate::confine::alone()
        .map_err(|error| Failure::Running(format!("cannot give away what is not needed: {error}")))?;
    // What sshd says of its client is in the environment, which the user may set: the firewall judges what it is worth.
    let origin = std::env::var("SSH_CONNECTION").ok().and_then(|text| origin(&text)).map(|origin| origin.to_string());
    let session = Session::begin(control, reads, origin.as_deref()).map_err(|refusal| match refusal {
        Refusal::Said { text, .. } => Failure::Running(format!("ostiary says: {text}")),
        Refusal::Gone => Failure::Running("ostiary closed the connection".to_owned()),
    })?;
    match session.run(std::io::stdin(), std::io::stdout()) {
        End::Closed | End::Dropped => Ok(()),
        End::Killed => Err(Failure::Running("ostiary ended the session, or stopped".to_owned())),
        End::Broken(why) => Err(Failure::Running(format!("the client sent what is no NETCONF: {why}"))),
    }
}

/// Whether the management socket of this version has such a request.
fn reads(request: &str) -> bool {
    let configures = Configure::read(request.as_bytes()).is_some_and(|read| read.is_ok());
    configures || serde_json::from_str::<Action>(request).is_ok() || serde_json::from_str::<Request>(request).is_ok()
}

/// The client of `SSH_CONNECTION`: its address, its port, and the server's.
fn origin(connection: &str) -> Option<SocketAddr> {
    let mut words = connection.split(' ');
    let address: IpAddr = words.next()?.parse().ok()?;
    Some(SocketAddr::new(address, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_what_sshd_says() {
        let read = |text| origin(text).map(|origin| origin.to_string());
        assert_eq!(read("192.0.2.1 54828 192.0.2.2 830").as_deref(), Some("192.0.2.1:54828"));
        assert_eq!(read("2001:db8::1 5 2001:db8::2 830").as_deref(), Some("[2001:db8::1]:5"));
        for wrong in ["", "UNKNOWN 65535 UNKNOWN 65535", "192.0.2.1", "192.0.2.1 x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
