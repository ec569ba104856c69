//! Certificates of collectors and of the firewall, made for one run.

use std::fs;
use std::path::{Path, PathBuf};

use control::export::{TlsPolicy, TlsVersion};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use super::Fallible;

/// Name in the collectors' certificate.
const COLLECTOR: &str = "collector.test";
/// Name in ours.
pub(super) const FIREWALL: &str = "fw1.test";

/// `ca.pem`, `server.pem` and `client.pem`, with the keys beside them.
#[derive(Debug)]
pub(super) struct Authority(PathBuf);

impl Authority {
    pub(super) fn new(folder: &Path) -> Fallible<Self> {
        fs::create_dir_all(folder)?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "soak");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
        fs::write(folder.join("ca.pem"), authority.pem())?;
        let pairs = [
            ("server", COLLECTOR, ExtendedKeyUsagePurpose::ServerAuth),
            ("client", FIREWALL, ExtendedKeyUsagePurpose::ClientAuth),
        ];
        for (file, name, purpose) in pairs {
            let mut parameters = CertificateParams::new(vec![name.to_owned()])?;
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.extended_key_usages = vec![purpose];
            let key = KeyPair::generate()?;
            fs::write(folder.join(format!("{file}.pem")), parameters.signed_by(&key, &authority)?.pem())?;
            fs::write(folder.join(format!("{file}.key")), key.serialize_pem())?;
        }
        Ok(Self(folder.to_owned()))
    }

    /// A file of it.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// How the firewall knows the collectors, and they it.
    pub(super) fn policy(&self) -> TlsPolicy {
        TlsPolicy {
            name: "soak".into(),
            ca: self.path("ca.pem"),
            client: Some((self.path("client.pem"), self.path("client.key"))),
            server_name: Some(COLLECTOR.to_owned()),
            crl: Vec::new(),
            versions: (TlsVersion::V1_2, TlsVersion::V1_3),
        }
    }
}
