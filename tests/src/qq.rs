//! A user of a messenger, between two namespaces.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bench::pktgen::frames::Side;
use bench::pktgen::stories as catalogue;

use crate::netns::{CLIENT, Lab, SERVER, inside};

/// Where the user's client sends from, and the messenger's server is.
pub const PORTS: (u16, u16) = (4009, 8000);

/// A PC QQ login and logout between two sockets, one in each namespace, word for word as a story has it: every datagram arrives.
/// Gives the account.
///
/// # Panics
/// Where a datagram does not arrive, or is another then.
pub fn sign_on_and_off(lab: &Lab) -> String {
    let address = |ip: &str, port: u16| SocketAddr::new(ip.parse().expect("it is an address"), port);
    let story = catalogue::find("qq_qr_login").expect("it is in the catalogue").tell(7);
    let bind = |namespace: &str, at: SocketAddr| {
        let socket = inside(namespace, || UdpSocket::bind(at).expect("the port is free"));
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has a timeout");
        socket
    };
    let client = bind(&lab.client, address(CLIENT, PORTS.0));
    let server = bind(&lab.server, address(SERVER, PORTS.1));
    client.connect(address(SERVER, PORTS.1)).expect("a datagram socket connects");
    server.connect(address(CLIENT, PORTS.0)).expect("a datagram socket connects");
    let mut datagrams = 0;
    for frame in &story.frames {
        // Ethernet, IPv4 without options, UDP; what goes to and from port 8000 is the messenger's.
        let bytes = &frame.bytes;
        let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        if bytes[23] != 17 || (port(34) != PORTS.1 && port(36) != PORTS.1) {
            continue;
        }
        let payload = &bytes[42..14 + usize::from(port(16))];
        let (from, to) = match frame.from {
            Side::Client => (&client, &server),
            Side::Server => (&server, &client),
        };
        from.send(payload).expect("it can be sent");
        let mut received = [0; 2048];
        let length = to.recv(&mut received).unwrap_or_else(|error| panic!("datagram {datagrams}: {error}"));
        assert_eq!(&received[..length], payload);
        datagrams += 1;
    }
    assert!(datagrams > 20);
    story.expected.sign_ons[0].account.clone()
}
