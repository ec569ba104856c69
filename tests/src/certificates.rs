//! A certificate authority of the tests, and certificates from it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// PEM files: the authority, a server and a client.
#[derive(Clone, Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`: the server is `collector.test` at 127.0.0.1, the client `fw1.test`.
    pub fn make(folder: &Path) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        // Two authorities of one name would be one to those who verify.
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("Test Authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        authority.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("a certificate can be made");
        write(folder, "ca.pem", &authority.pem());
        for (name, host, purpose) in [
            ("server", "collector.test", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", "fw1.test", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = vec![host.to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).expect("these are names");
            params.distinguished_name.push(DnType::CommonName, host);
            params.extended_key_usages = vec![purpose];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate().expect("a key can be made");
            let certificate = params.signed_by(&key, &authority).expect("a certificate can be made");
            write(folder, &format!("{name}.pem"), &certificate.pem());
            write(folder, &format!("{name}.key"), &key.serialize_pem());
        }
        Self { folder: folder.to_owned() }
    }

    /// One of `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file can be made in a temporary folder");
}
