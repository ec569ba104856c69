//! Authorities, certificates and revocation lists.

use std::fs;
use std::path::PathBuf;

use control::export::{TlsPolicy, TlsVersion};

type Authority = rcgen::CertifiedIssuer<'static, rcgen::KeyPair>;

/// Certificates for one test, made anew.
pub struct Pki {
    pub dir: tempfile::TempDir,
    ca: Authority,
}

impl Pki {
    /// An authority (`ca.pem`), a server's certificate for `collector.test` and 127.0.0.1 (`server.pem`, serial 11), one that
    /// has expired (`expired.pem`), a client's (`client.pem`) and
    /// one that another authority signed (`stranger.pem`), lists that revoke nobody (`good.crl`) and the server
    /// (`revoked.crl`), and another authority (`other-ca.pem`). Keys are beside them (`.key`).
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = authority("Test authority");
        let other = authority("Another authority");
        fs::write(dir.path().join("other-ca.pem"), other.pem()).unwrap();
        fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        let pki = Self { dir, ca };
        pki.issue("server", 11, rcgen::ExtendedKeyUsagePurpose::ServerAuth, 2096, &pki.ca);
        pki.issue("expired", 12, rcgen::ExtendedKeyUsagePurpose::ServerAuth, 2024, &pki.ca);
        pki.issue("client", 13, rcgen::ExtendedKeyUsagePurpose::ClientAuth, 2096, &pki.ca);
        pki.issue("stranger", 14, rcgen::ExtendedKeyUsagePurpose::ClientAuth, 2096, &other);
        pki.revoke("good", &[]);
        pki.revoke("revoked", &[11]);
        pki
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn issue(
        &self,
        name: &str,
        serial: u64,
        purpose: rcgen::ExtendedKeyUsagePurpose,
        until: i32,
        authority: &Authority,
    ) {
        let names = if purpose == rcgen::ExtendedKeyUsagePurpose::ClientAuth {
            vec!["fw1.test".into()]
        } else {
            vec!["collector.test".into(), "127.0.0.1".into()]
        };
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, format!("{name}.test"));
        parameters.serial_number = Some(serial.into());
        parameters.extended_key_usages = vec![purpose];
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, authority).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn revoke(&self, name: &str, serials: &[u64]) {
        let revoked = |serial: &u64| rcgen::RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: rcgen::date_time_ymd(2025, 1, 1),
            reason_code: Some(rcgen::RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2025, 1, 1),
            next_update: rcgen::date_time_ymd(2096, 1, 1),
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        fs::write(self.path(&format!("{name}.crl")), list.signed_by(&self.ca).unwrap().pem().unwrap()).unwrap();
    }

    /// A policy that fits the server.
    pub fn policy(&self) -> TlsPolicy {
        TlsPolicy {
            name: "lab".into(),
            ca: self.path("ca.pem"),
            client: Some((self.path("client.pem"), self.path("client.key"))),
            server_name: Some("collector.test".into()),
            crl: vec![self.path("good.crl")],
            versions: (TlsVersion::V1_2, TlsVersion::V1_3),
        }
    }
}

fn authority(name: &str) -> Authority {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    rcgen::CertifiedIssuer::self_signed(parameters, rcgen::KeyPair::generate().unwrap()).unwrap()
}
