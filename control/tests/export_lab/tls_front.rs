//! TLS before a server in clear.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Pki;

/// Deciphers what comes and passes it on. In what comes back, the server's own address is made that of the front: brokers
/// of Kafka tell their clients where they are.
pub struct TlsFront {
    pub address: SocketAddr,
}

impl TlsFront {
    /// With a certificate of `pki`, towards clients with one of its own.
    pub fn listen(pki: &Pki, certificate: &str, behind: SocketAddr) -> Self {
        let config = config(pki, certificate);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for front in listener.incoming().flatten() {
                let (tls, back) = (ServerConnection::new(config.clone()).unwrap(), TcpStream::connect(behind));
                if let Ok(back) = back {
                    thread::spawn(move || pump(tls, front, back, (told(behind), told(address))));
                }
            }
        });
        Self { address }
    }
}

fn config(pki: &Pki, certificate: &str) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.path("ca.pem")).unwrap()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let chain = vec![CertificateDer::from_pem_file(pki.path(&format!("{certificate}.pem"))).unwrap()];
    let key = PrivateKeyDer::from_pem_file(pki.path(&format!("{certificate}.key"))).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_client_cert_verifier(clients).with_single_cert(chain, key).unwrap())
}

/// An address as brokers tell it: the text of the host, and the port in 4 octets.
fn told(address: SocketAddr) -> Vec<u8> {
    [address.ip().to_string().as_bytes(), &u32::from(address.port()).to_be_bytes()].concat()
}

/// Until either side ends.
fn pump(mut tls: ServerConnection, mut front: TcpStream, mut back: TcpStream, addresses: (Vec<u8>, Vec<u8>)) {
    let wait = Some(Duration::from_millis(1));
    front.set_read_timeout(wait).unwrap();
    back.set_read_timeout(wait).unwrap();
    let mut buffer = vec![0; 64 * 1_024];
    let mut turn = || -> io::Result<bool> {
        if let Some(0) = some(tls.read_tls(&mut front))? {
            return Ok(false);
        }
        if let Err(error) = tls.process_new_packets() {
            // The alert.
            tls.write_tls(&mut front)?;
            return Err(io::Error::other(error));
        }
        if let Some(read) = some(tls.reader().read(&mut buffer))? {
            back.write_all(&buffer[..read])?;
        }
        match some(back.read(&mut buffer))? {
            Some(0) => return Ok(false),
            Some(read) => tls.writer().write_all(&replaced(&buffer[..read], &addresses))?,
            None => {}
        }
        while tls.wants_write() {
            tls.write_tls(&mut front)?;
        }
        Ok(true)
    };
    while turn().unwrap_or(false) {}
}

fn some(read: io::Result<usize>) -> io::Result<Option<usize>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(None),
        Err(error) => Err(error),
    }
}

fn replaced(octets: &[u8], (from, to): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
    let mut out = octets.to_vec();
    for at in 0..octets.len().saturating_sub(from.len() - 1) {
        if octets[at..].starts_with(from) {
            out[at..at + to.len()].copy_from_slice(to);
        }
    }
    out
}
