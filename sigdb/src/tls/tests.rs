use proptest::prelude::*;

use super::*;

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = kind.to_be_bytes().to_vec();
    octets.extend(with_length16(value));
    octets
}

fn with_length16(value: &[u8]) -> Vec<u8> {
    let mut octets = (value.len() as u16).to_be_bytes().to_vec();
    octets.extend(value);
    octets
}

fn with_length24(value: &[u8]) -> Vec<u8> {
    let mut octets = (value.len() as u32).to_be_bytes()[1..].to_vec();
    octets.extend(value);
    octets
}

fn server_name(name: &str) -> Vec<u8> {
    let mut entry = vec![0];
    entry.extend(with_length16(name.as_bytes()));
    extension(0, &with_length16(&entry))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.extend(with_length24(body));
    octets
}

fn client_hello(extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0x1a, 0x1a, 0x13, 1, 1, 0]);
    body.extend(with_length16(extensions));
    message(1, &body)
}

fn server_hello(extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.extend([0, 0x13, 1, 0]);
    body.extend(with_length16(extensions));
    message(2, &body)
}

/// Records of at most `part` octets each.
fn records(messages: &[u8], part: usize) -> Vec<u8> {
    messages.chunks(part).flat_map(|part| record(22, part)).collect()
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind, 3, 1];
    octets.extend(with_length16(content));
    octets
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match content.len() {
        length @ 0..=127 => octets.push(length as u8),
        length => {
            octets.push(0x82);
            octets.extend((length as u16).to_be_bytes());
        }
    }
    octets.extend(content);
    octets
}

fn certificate(common: &str, alternatives: &[&str]) -> Vec<u8> {
    let pair = [element(6, &[0x55, 4, 3]), element(0x0c, common.as_bytes())].concat();
    let subject = element(0x30, &element(0x31, &element(0x30, &pair)));
    let names: Vec<u8> = alternatives.iter().flat_map(|name| element(0x82, name.as_bytes())).collect();
    let extension = [element(6, &[0x55, 29, 17]), element(4, &element(0x30, &names))].concat();
    let other = [element(6, &[0x55, 29, 15]), element(1, &[0xff]), element(4, &[3, 2, 5, 0xa0])].concat();
    let extensions = element(0xa3, &element(0x30, &[element(0x30, &other), element(0x30, &extension)].concat()));
    let fields = [
        element(0xa0, &element(2, &[2])),
        element(2, &[1; 16]),
        element(0x30, &element(6, &[0x2a, 3])),
        element(0x30, &[]),
        element(0x30, &[]),
        subject,
        element(0x30, &[0; 300]),
        extensions,
    ];
    let der = element(0x30, &[element(0x30, &fields.concat()), element(0x30, &[]), element(3, &[0; 65])].concat());
    message(11, &with_length24(&with_length24(&der)))
}

/// What a look saw, in words that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Hello(Option<String>, Vec<String>, bool),
    Names(Vec<String>),
    Records,
    More,
    No,
}

fn see(data: &[u8]) -> Seen {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    match look(data, &mut [0; WINDOW]) {
        Look::Hello(hello) => {
            Seen::Hello(hello.server_name.map(text), hello.application_protocols().map(text).collect(), hello.whole)
        }
        Look::Certificate(names) => Seen::Names(names.all().map(text).collect()),
        Look::Records => Seen::Records,
        Look::More => Seen::More,
        Look::No => Seen::No,
    }
}

fn browser() -> Vec<u8> {
    let protocols = extension(16, &with_length16(b"\x02h2\x08http/1.1"));
    client_hello(&[extension(0x1a1a, &[]), server_name("web.example"), protocols, extension(21, &[0; 700])].concat())
}

fn seen_browser() -> Seen {
    Seen::Hello(Some("web.example".into()), vec!["h2".into(), "http/1.1".into()], true)
}

#[test]
fn the_name_and_the_protocols_are_read() {
    assert_eq!(see(&records(&browser(), 1 << 14)), seen_browser());
    assert_eq!(see(&records(&client_hello(&[]), 1 << 14)), Seen::Hello(None, vec![], true));
}

#[test]
fn every_cut_waits_for_more() {
    let whole = records(&browser(), 1 << 14);
    for end in 1..whole.len() {
        assert_eq!(see(&whole[..end]), Seen::More, "cut at {end}");
    }
}

#[test]
fn a_hello_in_many_records_is_joined() {
    for part in [1, 2, 3, 4, 5, 33, 100, 799] {
        let whole = records(&browser(), part);
        if whole.len() <= WINDOW {
            assert_eq!(see(&whole), seen_browser(), "records of {part}");
            assert_eq!(see(&whole[..whole.len() - 1]), Seen::More, "records of {part}, cut");
        }
    }
}

#[test]
fn a_hello_beyond_the_window_shows_what_stands_in_it() {
    let long = client_hello(&[server_name("web.example"), extension(51, &[0; 9000])].concat());
    let whole = records(&long, 1 << 14);
    assert_eq!(see(&whole[..WINDOW - 1]), Seen::More);
    assert_eq!(see(&whole[..WINDOW]), Seen::Hello(Some("web.example".into()), vec![], false));
    let in_parts = records(&long, 1000);
    assert_eq!(see(&in_parts[..WINDOW]), Seen::Hello(Some("web.example".into()), vec![], false));
}

#[test]
fn a_certificate_shows_its_names() {
    let flight = [server_hello(&extension(23, &[])), certificate("chat.example", &["*.chat.example", "b.example"])];
    let names = Seen::Names(vec!["*.chat.example".into(), "b.example".into(), "chat.example".into()]);
    assert_eq!(see(&records(&flight.concat(), 1 << 14)), names);
    assert_eq!(see(&records(&flight.concat(), 90)), names);
    let apart = [records(&flight[0], 999), records(&flight[1], 999)].concat();
    assert_eq!(see(&apart), names);
    for end in 1..apart.len() {
        assert_eq!(see(&apart[..end]), Seen::More, "cut at {end}");
    }
}

#[test]
fn a_certificate_cut_by_the_window_shows_what_is_here() {
    let names: Vec<String> = (0..400).map(|n| format!("host-{n}.example")).collect();
    let names: Vec<&str> = names.iter().map(|name| &name[..]).collect();
    let flight = [server_hello(&[]), certificate("chat.example", &names)].concat();
    let Seen::Names(seen) = see(&records(&flight, 1 << 14)[..WINDOW]) else { panic!("no names") };
    assert!(seen.len() > 100 && seen[0] == "host-0.example" && seen.last().unwrap() == "chat.example");
    assert!(seen.iter().all(|name| name.ends_with(".example")));
}

#[test]
fn a_server_that_shows_no_certificate_is_not_waited_for() {
    let newest = server_hello(&extension(43, &[3, 4]));
    assert_eq!(see(&records(&newest, 1 << 14)), Seen::Records);
    let resumed = [records(&server_hello(&[]), 1 << 14), record(20, &[1])].concat();
    assert_eq!(see(&resumed), Seen::Records);
}

#[test]
fn a_connection_met_in_its_middle() {
    let data = [record(23, &[0x55; 100]), record(23, &[0x66; 10])].concat();
    assert_eq!(see(&data), Seen::Records);
    assert_eq!(see(&data[..105]), Seen::Records);
    assert_eq!(see(&data[..107]), Seen::More);
    assert_eq!(see(&data[..50]), Seen::More);
    assert_eq!(see(&[record(23, &[0x55; 100]), vec![1, 2, 3, 4, 5]].concat()), Seen::No);
}

#[test]
fn other_bytes_are_not_tls() {
    assert_eq!(see(b"GET / HTTP/1.1"), Seen::No);
    assert_eq!(see(&[0x16, 0xf1, 3, 0, 10, 1, 0, 0, 6]), Seen::No);
    assert_eq!(see(&[]), Seen::No);
    let mut lying = records(&client_hello(&server_name("web.example")), 1 << 14);
    let last = lying.len() - 13;
    lying[last] = 0xff; // the length of the name list
    assert_eq!(see(&lying), Seen::No);
}

/// The example of JA4's technical details, rebuilt from the lists that they give.
#[test]
fn the_fingerprint_is_that_of_its_specification() {
    let suites: Vec<u8> = [
        0x2a2a_u16, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
        0x009d, 0x002f, 0x0035,
    ]
    .iter()
    .flat_map(|suite| suite.to_be_bytes())
    .collect();
    let algorithms = [4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1];
    let mut extensions = [
        extension(0x0a0a, &[]),
        server_name("web.example"),
        extension(16, &with_length16(b"\x02h2\x08http/1.1")),
        extension(43, &[6, 0x3a, 0x3a, 3, 4, 3, 3]),
        extension(13, &with_length16(&algorithms)),
    ]
    .concat();
    for kind in [0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0x000b, 0x000a, 0xff01, 0x0015] {
        extensions.extend(extension(kind, &[]));
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(with_length16(&suites));
    body.extend([1, 0]);
    body.extend(with_length16(&extensions));
    let whole = records(&message(1, &body), 1 << 14);
    let mut joined = [0; WINDOW];
    let Look::Hello(hello) = look(&whole, &mut joined) else { panic!("no hello") };
    let text = |carrier| String::from_utf8(hello.ja4(carrier).unwrap().to_vec()).unwrap();
    assert_eq!(text(Carrier::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_eq!(text(Carrier::Quic), "q13d1516h2_8daaf6152771_e5627efa2ab1");
}

proptest! {
    #[test]
    fn anything_is_looked_at_without_harm(mut data in prop::collection::vec(any::<u8>(), 0..2 * WINDOW), shape in 0..4_usize) {
        let shapes: [&[u8]; 4] = [&[], &[0x16, 3, 1], &[0x16, 3, 1, 0x10, 0, 1], &[0x16, 3, 3, 2, 0, 2]];
        let known = shapes[shape];
        let length = data.len().min(known.len());
        data[..length].copy_from_slice(&known[..length]);
        see(&data);
    }

    #[test]
    fn a_changed_flight_does_no_harm(
        places in prop::collection::vec((0..2000_usize, any::<u8>()), 1..8),
        part in 1..2000_usize,
        hello: bool,
    ) {
        let flight = if hello { browser() } else { [server_hello(&[]), certificate("a.example", &["b.example"; 50])].concat() };
        let mut data = records(&flight, part);
        for (place, octet) in places {
            let length = data.len();
            data[place % length] ^= octet;
        }
        see(&data);
        let mut joined = [0; WINDOW];
        if let Look::Hello(hello) = look(&data, &mut joined) {
            hello.ja4(Carrier::Tcp);
        }
    }
}
