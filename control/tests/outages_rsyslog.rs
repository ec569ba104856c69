//! Outages of rsyslog over each transport that it knows: nothing is lost, and what arrives twice says so.

mod export_lab;

use export_lab::{Program, Way, full_disk, outages, outages_in_memory};

#[test]
fn over_tcp() {
    outages(Program::Rsyslog, Way::Tcp);
}

#[test]
fn over_tls() {
    outages(Program::Rsyslog, Way::Tls);
}

#[test]
fn over_relp() {
    outages(Program::Rsyslog, Way::Relp);
}

#[test]
fn over_relp_tls() {
    outages(Program::Rsyslog, Way::RelpTls);
}

#[test]
fn over_tcp_without_a_spool() {
    outages_in_memory(Program::Rsyslog, Way::Tcp);
}

#[test]
fn its_disk_is_full_over_tls() {
    full_disk(Program::Rsyslog, Way::Tls);
}

#[test]
fn its_disk_is_full_over_relp_tls() {
    full_disk(Program::Rsyslog, Way::RelpTls);
}

#[test]
fn its_disk_is_full_over_tcp() {
    full_disk(Program::Rsyslog, Way::Tcp);
}

#[test]
fn its_disk_is_full_over_relp() {
    full_disk(Program::Rsyslog, Way::Relp);
}
