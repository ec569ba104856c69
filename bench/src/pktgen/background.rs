//! What else is on the wire, and what looks like an instant messenger and is none.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::frames::{Ends, Side};
use super::script::Script;
use super::tcp::Connection;

/// A name looked up, one datagram each way.
pub fn dns(script: &mut Script, at: Duration, client: SocketAddr, name: &str, answer: IpAddr) -> Ends {
    let server = SocketAddr::new(resolver(client.ip()), 53);
    let ends = Ends { client, server };
    let id = script.dice.half() as u16;
    let (kind, data) = match answer {
        IpAddr::V4(ip) => (1_u16, ip.octets().to_vec()),
        IpAddr::V6(ip) => (28, ip.octets().to_vec()),
    };
    let mut question = Vec::new();
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend_from_slice(label.as_bytes());
    }
    question.push(0);
    question.extend_from_slice(&kind.to_be_bytes());
    question.extend_from_slice(&[0, 1]);
    let header = |flags: u16, answers: u8| {
        let mut out = id.to_be_bytes().to_vec();
        out.extend_from_slice(&flags.to_be_bytes());
        out.extend_from_slice(&[0, 1, 0, answers, 0, 0, 0, 0]);
        out.extend_from_slice(&question);
        out
    };
    script.udp(at, Side::Client, ends, &header(0x0100, 0));
    let mut reply = header(0x8180, 1);
    reply.extend_from_slice(&[0xc0, 0x0c]);
    reply.extend_from_slice(&kind.to_be_bytes());
    reply.extend_from_slice(&[0, 1, 0, 0, 1, 0x2c]);
    reply.extend_from_slice(&(data.len() as u16).to_be_bytes());
    reply.extend_from_slice(&data);
    script.udp(at + Duration::from_millis(9), Side::Server, ends, &reply);
    ends
}

fn resolver(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => IpAddr::from([198, 51, 100, 53]),
        IpAddr::V6(_) => IpAddr::from([0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0x53]),
    }
}

/// A page fetched in clear.
pub fn http(script: &mut Script, at: Duration, ends: Ends, path: &str, octets: usize) -> Duration {
    let mut connection = Connection::open(script, ends, at);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: www.example.net\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\r\n"
    );
    connection.send(script, Side::Client, request.as_bytes());
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: {octets}\r\n\r\n")
            .into_bytes();
    answer.extend((0..octets).map(|i| b' ' + (i % 90) as u8));
    connection.send(script, Side::Server, &answer);
    connection.finish(script, Side::Client)
}

/// A TLS connection to `name`: ClientHello with server name, and records.
pub fn tls(script: &mut Script, at: Duration, ends: Ends, name: &str) -> Duration {
    let mut connection = Connection::open(script, ends, at);
    let hello = client_hello(script, name);
    connection.send(script, Side::Client, &hello);
    let mut answer = server_hello(script);
    answer.extend_from_slice(&application_data(script, 1900));
    connection.send(script, Side::Server, &answer);
    for (asked, answered) in [(540, 3200), (320, 900)] {
        let data = application_data(script, asked);
        connection.send(script, Side::Client, &data);
        let data = application_data(script, answered);
        connection.send(script, Side::Server, &data);
    }
    connection.finish(script, Side::Client)
}

/// A ServerHello of TLS 1.3 (RFC 8446, 4.1.3): supported version and X25519 share.
fn server_hello(script: &mut Script) -> Vec<u8> {
    let mut out = vec![0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 3];
    out.extend_from_slice(&script.dice.octets(32));
    out.push(32);
    out.extend_from_slice(&script.dice.octets(32));
    out.extend_from_slice(&[0x13, 0x01, 0, 0, 0x2e, 0, 0x2b, 0, 2, 3, 4, 0, 0x33, 0, 0x24, 0, 0x1d, 0, 0x20]);
    out.extend_from_slice(&script.dice.octets(32));
    out
}

fn application_data(script: &mut Script, octets: usize) -> Vec<u8> {
    let mut out = vec![0x17, 3, 3];
    out.extend_from_slice(&(octets as u16).to_be_bytes());
    out.extend_from_slice(&script.dice.octets(octets));
    out
}

fn client_hello(script: &mut Script, name: &str) -> Vec<u8> {
    let mut server_name = ((name.len() + 3) as u16).to_be_bytes().to_vec();
    server_name.push(0);
    server_name.extend_from_slice(&(name.len() as u16).to_be_bytes());
    server_name.extend_from_slice(name.as_bytes());
    let mut extensions = Vec::new();
    for (kind, data) in [(0_u16, &server_name[..]), (43, &[2, 3, 4]), (10, &[0, 2, 0, 0x1d]), (13, &[0, 2, 4, 3])] {
        extensions.extend_from_slice(&kind.to_be_bytes());
        extensions.extend_from_slice(&(data.len() as u16).to_be_bytes());
        extensions.extend_from_slice(data);
    }
    let mut body = vec![3, 3];
    body.extend_from_slice(&script.dice.octets(32));
    body.push(32);
    body.extend_from_slice(&script.dice.octets(32));
    body.extend_from_slice(&[0, 4, 0x13, 0x01, 0x13, 0x02, 1, 0]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let mut out = vec![0x16, 3, 1];
    out.extend_from_slice(&(body.len() as u16 + 4).to_be_bytes());
    out.extend_from_slice(&[1, 0]);
    out.extend_from_slice(&(body.len() as u16).to_be_bytes());
    out.extend_from_slice(&body);
    out
}

/// A remote shell.
pub fn ssh(script: &mut Script, at: Duration, ends: Ends) -> Duration {
    let mut connection = Connection::open(script, ends, at);
    connection.send(script, Side::Server, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    connection.send(script, Side::Client, b"SSH-2.0-OpenSSH_9.6\r\n");
    for _ in 0..6 {
        let key = script.dice.octets(208);
        connection.send(script, Side::Client, &key);
        let key = script.dice.octets(144);
        connection.send(script, Side::Server, &key);
    }
    connection.finish(script, Side::Client)
}

/// A chat on TCP port 8000, the port of QQ, that is not QQ.
pub fn irc_on_8000(script: &mut Script, at: Duration, mut ends: Ends) -> Duration {
    ends.server.set_port(8000);
    let mut connection = Connection::open(script, ends, at);
    connection.send(script, Side::Client, b"NICK visitor\r\nUSER visitor 0 * :a visitor\r\n");
    connection.send(script, Side::Server, b":irc.example.net 001 visitor :Welcome\r\n");
    connection.send(script, Side::Client, b"JOIN #garden\r\nPRIVMSG #garden :02 is not a start tag\r\n");
    connection.send(script, Side::Client, b"QUIT :bye\r\n");
    connection.send(script, Side::Server, b"ERROR :Closing Link: visitor\r\n");
    connection.finish(script, Side::Server)
}

/// Everything that a careless rule would take for QQ or WeChat; none of it is.
pub fn look_alikes(script: &mut Script, at: Duration, client: IpAddr, server: IpAddr) -> Duration {
    let mut port = 21_000;
    let mut ends = |service: u16| {
        port += 1;
        Ends { client: SocketAddr::new(client, port), server: SocketAddr::new(server, service) }
    };
    // A PC manager by the same house, on QQ's port.
    let manager = ends(8000);
    for i in 0..6_u8 {
        let body = script.dice.octets(30);
        let datagram = [&[0, 2, 0, 0x30 + i][..], &body].concat();
        script.udp(at + Duration::from_secs(u64::from(i)), Side::Client, manager, &datagram);
        script.udp(at + Duration::from_millis(u64::from(i) * 1000 + 30), Side::Server, manager, &datagram);
    }
    // A game.
    let mut game = b"QQ\x05\x00".to_vec();
    game.extend_from_slice(&script.dice.octets(20));
    let game_ends = ends(3658);
    script.udp(at, Side::Client, game_ends, &game);
    script.udp(at + Duration::from_millis(40), Side::Server, game_ends, &game);
    // QQ's start tag on QQ's port, without its end tag.
    let mut tagged = script.dice.octets(64);
    (tagged[0], tagged[63]) = (2, 4);
    let tagged_ends = ends(8000);
    script.udp(at, Side::Client, tagged_ends, &tagged);
    script.udp(at + Duration::from_millis(40), Side::Server, tagged_ends, &tagged);
    // Start and end tag elsewhere, the rest as it happens to be.
    let mut framed = script.dice.octets(48);
    (framed[0], framed[1], framed[47]) = (2, 0xee, 3);
    let framed_ends = ends(5060);
    script.udp(at, Side::Client, framed_ends, &framed);
    script.udp(at + Duration::from_millis(40), Side::Server, framed_ends, &framed);
    let mut now = lengths_like_msf(script, at, ends(8080));
    now = lengths_like_qq(script, now, ends(443));
    now = irc_on_8000(script, now, ends(8000));
    // Pages that talk about it.
    now = http(script, now, ends(80), "/search?q=/cgi-bin/micromsg-bin/newgetdns?uin=4123456789", 2000);
    now = http(script, now, ends(8080), "/mmtls/index.html", 500);
    tls(script, now, ends(443), "wx.qq.com.example.net")
}

/// Records behind a length that counts itself and a type as MSF has them, with nothing of MSF inside.
fn lengths_like_msf(script: &mut Script, at: Duration, ends: Ends) -> Duration {
    let mut connection = Connection::open(script, ends, at);
    for kind in [0x0a_u32, 0x0b, 0x0c, 0x0d] {
        let mut record = 64_u32.to_be_bytes().to_vec();
        record.extend_from_slice(&kind.to_be_bytes());
        record.push(1);
        record.extend((record.len()..64).map(|i| 0x80 | i as u8));
        connection.send(script, Side::Client, &record);
        connection.send(script, Side::Server, &record);
    }
    connection.finish(script, Side::Client)
}

/// Two octets of length and a start tag as QQ over TCP has them, without the end tag.
fn lengths_like_qq(script: &mut Script, at: Duration, ends: Ends) -> Duration {
    let mut connection = Connection::open(script, ends, at);
    for _ in 0..4 {
        let mut record = vec![0, 40, 2];
        record.extend_from_slice(&script.dice.octets(36));
        record.push(0x55);
        connection.send(script, Side::Client, &record);
        connection.send(script, Side::Server, &record);
    }
    connection.finish(script, Side::Client)
}

/// Other people's traffic from `from` to `to`: keeps the clock of a story going.
pub fn murmur(script: &mut Script, from: Duration, to: Duration) {
    let neighbour = IpAddr::from([10, 99, 0, 9]);
    let server = IpAddr::from([198, 51, 100, 80]);
    let (mut now, mut port) = (from, 30_000_u16);
    while now < to {
        port = if port > 60_000 { 30_000 } else { port + 1 };
        let client = SocketAddr::new(neighbour, port);
        match script.dice.between(0, 4) {
            0 => drop(dns(script, now, client, "www.example.net", server)),
            1 => drop(http(script, now, Ends { client, server: SocketAddr::new(server, 80) }, "/", 1800)),
            2 => drop(tls(script, now, Ends { client, server: SocketAddr::new(server, 443) }, "www.example.org")),
            _ => drop(ssh(script, now, Ends { client, server: SocketAddr::new(server, 22) })),
        }
        now += Duration::from_secs(u64::from(script.dice.between(8, 40)));
    }
    // The last word is exactly at the end, so that a story's length is what it says.
    dns(script, to, SocketAddr::new(neighbour, 29_999), "www.example.com", server);
}
