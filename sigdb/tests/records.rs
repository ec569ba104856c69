//! Records of type, length and value, nested and in both ways of counting; numbers, packed digits and MAC addresses in them;
//! regular expressions. By signatures of invented protocols, whose samples are the assertions.

use proptest::prelude::*;
use sigdb::{Source, compile};

const HEAD: &str = "version = \"1\"\ndate = \"2026-01-01\"\n";

/// Attributes as RADIUS has them (RFC 2865, 5): the length counts all of a record. Vendors' own lie in one of them.
const COUNTED_WHOLE: &str = r#"
[application]
name = "ledger"
title = "Ledger"
[[protocol]]
name = "ledger"
[protocol.anchor]
status = { at = 20, tlv = 40, inclusive = true }
user = { at = 20, tlv = 1, inclusive = true }
station = { at = 20, tlv = 31, inclusive = true }
vendor = { at = 20, tlv = 26, inclusive = true, begins = "00 00 28 af" }
subscriber = { at = "vendor + 4", in = "vendor", tlv = 1, inclusive = true }
[[protocol.carrier]]
transport = "udp"
framing = { kind = "datagram" }
[[protocol.identify]]
when = [{ at = 0, u8 = 4 }, { at = 2, u16 = "length" }, { at = "status", u32 = [1, 2, 3] }]
[[protocol.message]]
name = "start"
when = [{ at = "status", u32 = 1 }]
account = [
  { value = "subscriber", form = "digits" },
  { value = "user", form = "utf8" },
  { value = "station", form = "mac-text" },
]
means = "mention"
"#;

/// Options as DHCP has them (RFC 2132, 2): the length counts the value, some have none, one ends them.
const COUNTED_VALUE: &str = r#"
[application]
name = "lease"
title = "Lease"
[[protocol]]
name = "lease"
[protocol.anchor]
kind = { at = 12, tlv = 53, pad = 0, stop = 255 }
relay = { at = 12, tlv = 82, pad = 0, stop = 255 }
circuit = { in = "relay", tlv = 1 }
digits = { at = 12, tlv = 90, pad = 0, stop = 255 }
[[protocol.carrier]]
transport = "udp"
framing = { kind = "datagram" }
[[protocol.identify]]
when = [{ at = 8, octets = "63 82 53 63" }, { at = "kind", u8 = { from = 1, to = 8 } }]
[[protocol.message]]
name = "relayed"
when = [{ at = "kind", u8 = 1 }]
account = [{ value = "circuit", form = "ascii" }, { value = "digits", form = "tbcd" }]
means = "mention"
[[protocol.message]]
name = "direct"
when = [{ at = "kind", u8 = 3 }]
account = { at = 1, form = "mac" }
means = "mention"
[[protocol.message]]
name = "number"
when = [{ at = "kind", u8 = 4 }]
account = { at = 0, form = "u64" }
means = "mention"
[[protocol.message]]
name = "short number"
when = [{ at = "kind", u8 = 5 }]
account = { at = 0, form = "u24" }
means = "mention"
[[protocol.message]]
name = "packed"
when = [{ at = "kind", u8 = 6 }]
account = { at = 0, form = "bcd", size = 3 }
means = "mention"
"#;

const WORDS: &str = r#"
[application]
name = "words"
title = "Words"
[[protocol]]
name = "words"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "stream" }
[[protocol.identify]]
when = [{ regex = '^(helo|ehlo) [a-z0-9.-]+\r\n', within = 64, any-case = true }]
"#;

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A record whose length counts all of it.
fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, value.len() as u8 + 2][..], value].concat()
}

/// One whose length counts its value.
fn option(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, value.len() as u8][..], value].concat()
}

fn ledger(attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes = attributes.concat();
    let length = 20 + attributes.len() as u16;
    [&[4, 1][..], &length.to_be_bytes(), &[0x5a; 16], &attributes].concat()
}

fn lease(options: &[u8]) -> Vec<u8> {
    [&[0x12, 2, 0, 0, 0, 0, 1, 0x37, 0x63, 0x82, 0x53, 0x63][..], options].concat()
}

/// A sample that is this application and mentions that account, or is not.
fn sample(application: &str, transport: &str, octets: &[u8], account: Option<&str>) -> String {
    let sighting = account.map_or(String::new(), |account| format!("\"mention {account}\""));
    let octets = hex(octets);
    format!(
        "[[sample]]\nname = \"{octets}\"\ntransport = \"{transport}\"\nserver-port = 9\napplication = \"{application}\"\n\
         sightings = [{sighting}]\nsegment = [{{ from = \"client\", octets = \"{octets}\" }}]\n"
    )
}

/// What is wrong with a file; empty where nothing is.
fn faults(text: &str) -> String {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    match compile(&[source("database.toml", HEAD), source("thing.toml", text)]) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn records_that_count_themselves() {
    let status = |value: u8| attribute(40, &[0, 0, 0, value]);
    let vendor = |id: &[u8], kind: u8, text: &[u8]| attribute(26, &[id, &attribute(kind, text)].concat());
    let of = |attributes: &[Vec<u8>], account| sample("ledger", "udp", &ledger(attributes), account);
    let other = |attributes: &[Vec<u8>]| sample("none", "udp", &ledger(attributes), None);
    let samples = [
        of(&[attribute(1, b"ann"), status(1)], Some("ann")),
        of(&[status(2), attribute(1, b"ann")], None),
        of(&[status(1), attribute(31, b"02-00-00-00-AB-01")], Some("02:00:00:00:ab:01")),
        of(&[status(1), attribute(31, b"0200.0000.ab01")], Some("02:00:00:00:ab:01")),
        of(&[status(1), attribute(31, b"02-00-00-00-AB-01:net")], None),
        // Of several vendors' the one that counts, and in it the record that counts.
        of(
            &[
                vendor(&[0, 0, 0, 9], 1, b"77"),
                vendor(&[0, 0, 0x28, 0xaf], 1, b"00101"),
                status(1),
                attribute(1, b"ann"),
            ],
            Some("101"),
        ),
        of(&[vendor(&[0, 0, 0, 9], 1, b"77"), status(1), attribute(1, b"ann")], Some("ann")),
        of(&[vendor(&[0, 0, 0x28, 0xaf], 2, b"77"), attribute(1, b"55"), status(1)], Some("55")),
        // The vendor's record says that it is longer than what it lies in.
        of(&[attribute(26, b"\x00\x00\x28\xaf\x01\x09\x37"), attribute(1, b"ann"), status(1)], Some("ann")),
        other(&[attribute(1, b"ann"), status(4)]),
        // A record shorter than its own head ends the walk.
        other(&[vec![7, 1], status(1)]),
        other(&[vec![7, 0], status(1)]),
        other(&[attribute(1, b"ann"), attribute(40, &[1])]),
    ];
    assert_eq!(faults(&(COUNTED_WHOLE.to_owned() + &samples.concat())), "");
}

#[test]
fn records_that_count_their_value() {
    let kind = |kind: u8| option(53, &[kind]);
    let of = |options: &[Vec<u8>], account| sample("lease", "udp", &lease(&options.concat()), account);
    let other = |options: &[Vec<u8>]| sample("none", "udp", &lease(&options.concat()), None);
    let relay = option(82, &[option(2, b"far"), option(1, b"port-7")].concat());
    let samples = [
        of(&[vec![0, 0], kind(1), relay, vec![255]], Some("port-7")),
        of(&[kind(1), option(82, &option(2, b"far")), option(90, &[0x21, 0x43, 0xf5])], Some("12345")),
        of(&[kind(1), option(90, &[0x2a])], None),
        of(&[kind(1), option(90, &[])], None),
        of(&[kind(3)], Some("02:00:00:00:00:01")),
        of(&[kind(4)], Some("1297599642636124471")),
        of(&[kind(5)], Some("1180160")),
        of(&[kind(6)], Some("120200")),
        // Behind the end there is nothing.
        other(&[vec![255], kind(3)]),
        other(&[option(12, b"name"), vec![53]]),
    ];
    assert_eq!(faults(&(COUNTED_VALUE.to_owned() + &samples.concat())), "");
}

#[test]
fn a_walk_along_records_is_bounded() {
    let flood = |count: usize| [vec![0; count], option(53, &[3])].concat();
    let hit = sample("lease", "udp", &lease(&flood(127)), Some("02:00:00:00:00:01"));
    let miss = sample("none", "udp", &lease(&flood(128)), None);
    assert_eq!(faults(&format!("{COUNTED_VALUE}{hit}{miss}")), "");
}

#[test]
fn expressions_find_what_is_written_in_many_ways() {
    let hit = |text: &str| sample("words", "tcp", text.as_bytes(), None);
    let miss = |text: &str| sample("none", "tcp", text.as_bytes(), None);
    let samples = [hit("EHLO a.example\r\n"), hit("helo b\r\nMAIL"), miss("HELO \r\n"), miss("XEHLO a.example\r\n")];
    assert_eq!(faults(&(WORDS.to_owned() + &samples.concat())), "");
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |file: &str, from: &str, to: &str, words: &str| {
        assert!(file.contains(from), "{from}");
        let said = faults(&file.replacen(from, to, 1));
        assert!(said.contains(words), "said {said:?}, not {words:?}");
    };
    let relay = "tlv = 82, pad = 0";
    refused(COUNTED_VALUE, relay, "tlv = 256, pad = 0", "a type in 1 octets is 255 at most");
    refused(COUNTED_VALUE, relay, "tlv = 82, type-size = 3", "are 1, 2 or 4");
    refused(COUNTED_VALUE, relay, "tlv = 255, pad = 0", "another type than 'tlv'");
    refused(COUNTED_VALUE, relay, "prefix = 1, pad = 0", "with 'tlv'");
    refused(COUNTED_VALUE, relay, "find = \"01\", tlv = 3", "an anchor has one of");
    refused(COUNTED_VALUE, "in = \"relay\"", "in = \"rely\"", "\"rely\" is no anchor");
    refused(COUNTED_VALUE, "in = \"relay\"", "in = \"circuit\"", "\"circuit\" is no anchor");
    refused(COUNTED_VALUE, "in = \"relay\", tlv = 1", "tlv = 1", "go without 'at'");
    let deeper = "tlv = 1 }\ninner = { in = \"circuit\", tlv = 1 }\nlast = { in = \"inner\", tlv = 2 }";
    refused(COUNTED_VALUE, "tlv = 1 }", deeper, "more than 64 reads");
    refused(
        COUNTED_VALUE,
        "value = \"circuit\", form = \"ascii\"",
        "value = \"circuit\", form = \"varint\"",
        "has its length",
    );
    refused(COUNTED_VALUE, "value = \"circuit\"", "value = \"circuit\", prefix = 1", "has its length");
    refused(COUNTED_VALUE, "form = \"bcd\", size = 3", "form = \"bcd\"", "'size' (1 to 32) goes with bcd");
    refused(COUNTED_VALUE, "form = \"u64\"", "form = \"u64\", size = 3", "'size' (1 to 32) goes with bcd");
    refused(COUNTED_VALUE, "form = \"mac\"", "form = \"mac\", least = 3", "'least' and 'most' go with numbers");
    let found = "digits = { find = \"5a\" }\nother = { at = 12, tlv = 90, pad = 0";
    refused(COUNTED_VALUE, "digits = { at = 12, tlv = 90, pad = 0", found, "is found, and has no length");
    refused(WORDS, ", within = 64", "", "'regex' needs 'within'");
    refused(WORDS, "within = 64", "within = 5000", "'regex' needs 'within'");
    refused(WORDS, "^(helo|ehlo)", "(helo|ehlo", "cannot be read");
    refused(WORDS, "^(helo|ehlo) [a-z0-9.-]+\\r\\n", "(a|b)*a(a|b){20}", "needs more than 128 KiB");
    refused(WORDS, "^(helo|ehlo) [a-z0-9.-]+\\r\\n", "[a-z]*", "fits nothing as well");
}

proptest! {
    /// Whatever the records are, the first of a type is found where a plain walk finds it.
    #[test]
    fn records_are_found_where_a_plain_walk_finds_them(
        records in prop::collection::vec((prop::sample::select(vec![1_u8, 31, 40, 7]), prop::collection::vec(b'a'..=b'z', 0..6)), 0..8)
    ) {
        let mut attributes = vec![attribute(40, &[0, 0, 0, 1])];
        attributes.extend(records.iter().filter(|(kind, _)| *kind != 40).map(|(kind, value)| attribute(*kind, value)));
        let user = records.iter().find(|(kind, _)| *kind == 1).map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let hit = sample("ledger", "udp", &ledger(&attributes), user.as_deref().filter(|user| !user.is_empty()));
        let miss = sample("none", "udp", b"nothing", None);
        prop_assert_eq!(faults(&format!("{COUNTED_WHOLE}{hit}{miss}")), "");
    }
}
