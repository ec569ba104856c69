//! What control refuses whatever the rules say: sources, and everything new.

use std::sync::Arc;

use crossbeam::channel::unbounded;

use super::firewall::{Connection, Firewall, outbound};
use crate::blocked::BlockedSources;
use crate::command::{Command, Retired};
use crate::endpoint::Address;
use crate::verdict::DropReason;
use crate::wire::tcp::{ACK, SYN};

fn web(host: u8, port: u16) -> Connection {
    Connection::new(&format!("10.0.0.{host}:{port}"), "192.0.2.1:443")
}

fn establish(firewall: &mut Firewall, web: &mut Connection) {
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
}

#[test]
fn a_blocked_source_opens_nothing_until_it_is_not_blocked_any_more() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut ours = web(1, 40_000);
    establish(&mut firewall, &mut ours);
    let (retired, back) = unbounded();
    let block = |firewall: &mut Firewall, hosts: &[u8]| {
        let sources: BlockedSources = hosts.iter().map(|host| Address::v4([10, 0, 0, *host])).collect();
        let command = Command::Block { sources: Arc::new(sources), retired: retired.clone() };
        firewall.pipeline.command(firewall.now, command);
    };
    block(&mut firewall, &[1]);
    assert!(matches!(back.try_recv(), Ok(Retired::Blocked(old)) if old.is_empty()));
    firewall.out(&web(1, 40_001).client(SYN, &[])).drops(DropReason::BlockedSource);
    firewall.out(&web(2, 40_001).client(SYN, &[])).passes();
    // Sessions end by another command; this one is about what is new.
    firewall.out(&ours.client(ACK, b"data")).passes();
    block(&mut firewall, &[]);
    firewall.out(&web(1, 40_001).client(SYN, &[])).passes();
    assert!(matches!(back.try_recv(), Ok(Retired::Blocked(old)) if old.has(Address::v4([10, 0, 0, 1]))));
}

#[test]
fn while_all_is_held_what_is_established_goes_on() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut ours = web(1, 40_000);
    establish(&mut firewall, &mut ours);
    firewall.pipeline.command(firewall.now, Command::Hold(true));
    firewall.out(&web(2, 40_001).client(SYN, &[])).drops(DropReason::AuditFull);
    firewall.out(&ours.client(ACK, b"data")).passes();
    firewall.pipeline.command(firewall.now, Command::Hold(false));
    firewall.out(&web(2, 40_001).client(SYN, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "create"]);
}
