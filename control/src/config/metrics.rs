//! `[metrics]`: where counters are read over HTTP, and whether by TLS.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::document::Notes;
use super::schema::management::Metrics;
use crate::manage::metrics;

/// The listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Where.
    pub listen: SocketAddr,
    /// By what it is secured; none: by nothing.
    pub tls: Option<ListenTls>,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTls {
    /// The server's certificate, those of its issuers behind it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs the clients' certificates; none: clients show none.
    pub client_ca: Option<PathBuf>,
}

impl MetricsConfig {
    pub(super) fn compile(written: &Metrics, notes: &mut Notes) -> Option<Self> {
        let tls = match (&written.certificate, &written.key) {
            (Some(certificate), Some(key)) => Some(ListenTls {
                certificate: certificate.value.clone(),
                key: key.value.clone(),
                client_ca: written.client_ca.as_ref().map(|file| file.value.clone()),
            }),
            (None, None) => {
                if let Some(file) = &written.client_ca {
                    notes.fault(&file.place, None, "certificate and key beside it", "TLS needs both, or leave it out");
                }
                None
            }
            (certificate, key) => {
                let place = certificate.as_ref().or(key.as_ref()).map_or(&written.place, |file| &file.place);
                notes.fault(place, None, "certificate and key together", "write both for TLS, or neither");
                None
            }
        };
        Some(Self { listen: written.listen.as_ref()?.value, tls })
    }

    /// Whether the files are what they have to be. Captures are replayed where there are none.
    pub(super) fn inspect(&self, written: &Metrics, notes: &mut Notes) {
        let (Some(tls), Some(certificate)) = (&self.tls, &written.certificate) else { return };
        if let Err(error) = metrics::check(tls) {
            let advice = "correct the paths, or the files: this user has to be able to read them";
            notes.fault(&certificate.place, Some(error.to_string()), "PEM files of a certificate and its key", advice);
        }
    }
}
