//! Outages of syslog-ng over TCP and TLS: nothing is lost, and what arrives twice says so.

mod export_lab;

use export_lab::{Program, Way, full_disk, outages};

#[test]
fn over_tcp() {
    outages(Program::SyslogNg, Way::Tcp);
}

#[test]
fn over_tls() {
    outages(Program::SyslogNg, Way::Tls);
}

#[test]
fn its_disk_is_full_over_tls() {
    full_disk(Program::SyslogNg, Way::Tls);
}

#[test]
fn its_disk_is_full_over_tcp() {
    full_disk(Program::SyslogNg, Way::Tcp);
}
