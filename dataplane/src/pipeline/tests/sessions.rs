//! TCP and UDP sessions from their first packet to their last.

use std::time::Duration;

use super::firewall::{Connection, Firewall, outbound};
use crate::event::{CloseReason, SessionChange, SessionId, Volume};
use crate::policy::RuleId;
use crate::verdict::DropReason;
use crate::wire::build::udp;
use crate::wire::tcp::{ACK, FIN, PSH, RST, SYN};

#[test]
fn a_connection_is_opened_used_and_closed() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let start = firewall.now;
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    firewall.out(&web.client(ACK | PSH, &[7; 100])).passes();
    firewall.back(&web.server(ACK | PSH, &[8; 1000])).passes();
    firewall.moved(&[
        ("packets_received", 5),
        ("packets_forwarded", 5),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
    firewall.wait(Duration::from_secs(2));
    firewall.out(&web.client(FIN | ACK, &[])).passes();
    firewall.back(&web.server(FIN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_closed", 1),
        ("sessions_active", -1),
        ("session_events", 1),
    ]);
    let [create, close] = firewall.session_events().try_into().unwrap();
    assert!(matches!(create.change, SessionChange::Create));
    assert_eq!((create.session, create.rule, create.ports), (SessionId(3 << 48 | 1), RuleId(0), (0, 1)));
    assert_eq!(create.tuple.client.socket().to_string(), "10.0.0.1:40000");
    assert_eq!(create.tuple.server.socket().to_string(), "192.0.2.1:443");
    let SessionChange::Close { reason, start: began, to_server, to_client } = close.change else { panic!() };
    assert_eq!((reason, began), (CloseReason::Fin, start));
    assert_eq!(to_server, Volume { packets: 5, octets: 5 * 40 + 4 + 100 });
    assert_eq!(to_client, Volume { packets: 3, octets: 3 * 40 + 4 + 1000 });
    assert_eq!((close.header.sequence, close.header.time), (2, firewall.now));
    // The entry lingers for what is still on its way, then goes without another word.
    firewall.wait(Duration::from_secs(15));
    firewall.moved(&[("table_entries", -1)]);
}

#[test]
fn reply_passes_though_only_the_outbound_rule_allows_it() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let (client, server) = ("10.0.0.1:5000".parse().unwrap(), "192.0.2.53:5300".parse().unwrap());
    firewall.back(&udp(server, client, b"unasked")).drops(DropReason::ImplicitDeny);
    firewall.out(&udp(client, server, b"question")).passes();
    firewall.back(&udp(server, client, b"answer")).passes();
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 2),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
        ("drop_implicit_deny", 1),
    ]);
}

#[test]
fn a_refused_port_closes_at_the_rst() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:81");
    firewall.out(&web.client(SYN, &[])).passes();
    web.next[1] = 0;
    firewall.back(&web.server(RST | ACK, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "close reset"]);
}
