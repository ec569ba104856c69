//! What is checked against the machine: cores, and the files of SSL policies.

use super::*;

#[test]
fn workers_are_cores_of_this_machine_each_once() {
    refused("[dataplane]\nworkers = [0, 0]\n", 2, "dataplane.workers", "each core once", "remove one");
    refused(
        "[dataplane]\nworkers = [0, 1023]\n",
        2,
        "dataplane.workers",
        "a core that this process may run on: 0",
        "lscpu",
    );
    let elsewhere = format!("{BASE}[dataplane]\nworkers = [1023]\n");
    let (compiled, _) = load_text(&elsewhere, Purpose::Replay).unwrap();
    assert_eq!(compiled.dataplane.workers, [1023]);
}

#[test]
fn the_files_of_ssl_policies_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["fw1.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(file("good.pem"), certificate.pem()).unwrap();
    std::fs::write(file("good.key"), key.serialize_pem()).unwrap();
    std::fs::write(file("bad.pem"), "not PEM\n").unwrap();
    let host = "[[log-host]]\nname = \"h\"\naddress = \"192.0.2.9\"\ntransport = \"tls\"\nssl-policy = \"p\"\n";
    let policy = |ca: &str, certificate: &str, key: &str, crl: &str| {
        let path = |name: &str| file(name).display().to_string();
        format!(
            "{host}[ssl-policy.p]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n{}",
            path(ca),
            path(certificate),
            path(key),
            if crl.is_empty() { String::new() } else { format!("crl = [\"{}\"]\n", path(crl)) },
        )
    };
    assert_eq!(faults(&policy("good.pem", "good.pem", "good.key", "")), []);
    let advice = "correct the path";
    refused(&policy("none.pem", "good.pem", "good.key", ""), 7, "ssl-policy.p.ca", "a file with a certificate", advice);
    refused(
        &policy("bad.pem", "good.pem", "good.key", ""),
        7,
        "ssl-policy.p.ca",
        "a certificate in PEM form",
        "convert it",
    );
    refused(
        &policy("good.pem", "good.key", "good.key", ""),
        8,
        "ssl-policy.p.certificate",
        "a certificate in PEM form",
        "",
    );
    refused(
        &policy("good.pem", "good.pem", "none.key", ""),
        9,
        "ssl-policy.p.key",
        "a file with a private key",
        advice,
    );
    refused(&policy("good.pem", "good.pem", "good.pem", ""), 9, "ssl-policy.p.key", "a private key in PEM form", "");
    refused(
        &policy("good.pem", "good.pem", "good.key", "none"),
        10,
        "ssl-policy.p.crl",
        "a file with a revocation list",
        "",
    );
    refused(
        &policy("good.pem", "good.pem", "good.key", "bad.pem"),
        10,
        "ssl-policy.p.crl",
        "a revocation list in PEM",
        "",
    );
}
