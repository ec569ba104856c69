//! What the fuzz targets begin with and what they once found (`tests/fuzz/seeds`), shown to the same code in every run.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::PathBuf;

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

/// The files of a target.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// What a target does with an input.
type Body = fn(&[u8]);

#[test]
fn every_seed_is_survived() {
    let targets: [(&str, Body); 25] = [
        ("http", bodies::http::run),
        ("tls", bodies::tls::run),
        ("quic", bodies::quic::run),
        ("dns", bodies::dns::run),
        ("flow", bodies::flow::run),
        ("compile", bodies::compile::run),
        ("load", bodies::load::run),
        ("diff", bodies::diff::run),
        ("explain", bodies::explain::run),
        ("framings", bodies::framings::run),
        ("frames", bodies::frames::run),
        ("fragments", bodies::fragments::run),
        ("stream", bodies::stream::run),
        ("radius", bodies::radius::run),
        ("ppp", bodies::ppp::run),
        ("eapol", bodies::eapol::run),
        ("dhcp", bodies::dhcp::run),
        ("dhcpv6", bodies::dhcpv6::run),
        ("access", bodies::access::run),
        ("records", bodies::records::run),
        ("spool", bodies::spool::run),
        ("chain", bodies::chain::run),
        ("sshd", bodies::sshd::run),
        ("relp", bodies::relp::run),
        ("netconf", bodies::netconf::run),
    ];
    for (target, run) in targets {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for (path, octets) in seeds {
            println!("{}", path.display());
            run(&octets);
            // And what is left of it where it ends early.
            run(&octets[..octets.len() / 2]);
        }
    }
}
