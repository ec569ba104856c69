//! An `ssl-policy` made into a TLS session, from files as they are now.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};

use super::trouble::{FileProblem, Trouble};
use super::{Target, TlsPolicy, TlsVersion};

/// Reads the policy's files and begins a session with the host at `address`.
///
/// The host's certificate must lead to an authority of the policy, be valid now, be meant for servers and be for the
/// policy's name; where that gives none, for the name that the host is configured by; else for the address (as an IP address
/// in its subjectAltName). With revocation
/// lists, each certificate of the chain must be covered by one that is not out of date. Sessions are never resumed:
/// each connection checks the certificate anew.
pub(super) fn session(policy: &TlsPolicy, target: &Target, address: IpAddr) -> Result<ClientConnection, Trouble> {
    let wrong = |problem: String| Trouble::Policy { policy: policy.name.to_string(), problem };
    let config = config(policy)?;
    let named = |name: &str| {
        let wrong = |_| wrong(format!("server-name {name:?} is neither a DNS name nor an IP address"));
        ServerName::try_from(name.to_owned()).map_err(wrong)
    };
    let name = match (&policy.server_name, target) {
        (Some(name), _) => named(name)?,
        (None, Target::Name { name, .. }) => named(name)?,
        (None, Target::Address(_) | Target::None) => ServerName::from(address),
    };
    ClientConnection::new(Arc::new(config), name).map_err(Trouble::Tls)
}

/// The policy as it is for any host, its files read: there is nothing wrong with those where this can be made.
pub(super) fn config(policy: &TlsPolicy) -> Result<ClientConfig, Trouble> {
    let wrong = |problem: String| Trouble::Policy { policy: policy.name.to_string(), problem };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in read::<CertificateDer<'_>>(policy, &policy.ca, "certificate")? {
        roots.add(certificate).map_err(|error| refused(policy, &policy.ca, &error))?;
    }
    let mut verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    if !policy.crl.is_empty() {
        let mut lists = Vec::new();
        for path in &policy.crl {
            lists.extend(read::<CertificateRevocationListDer<'_>>(policy, path, "certificate revocation list")?);
        }
        verifier = verifier.with_crls(lists).enforce_revocation_expiration();
    }
    let verifier = verifier.build().map_err(|error| wrong(error.to_string()))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(policy))
        .map_err(|error| wrong(error.to_string()))?
        .with_webpki_verifier(verifier);
    let mut config = match &policy.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = read::<CertificateDer<'_>>(policy, certificate, "certificate")?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(policy, key, error))?;
            builder.with_client_auth_cert(chain, private).map_err(|error| refused(policy, key, &error))?
        }
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The versions between the policy's two, both included. None where they are the wrong way round, which the configuration
/// refuses, and rustls too.
fn versions(policy: &TlsPolicy) -> Vec<&'static SupportedProtocolVersion> {
    let (lowest, highest) = policy.versions;
    let all = [(TlsVersion::V1_3, &version::TLS13), (TlsVersion::V1_2, &version::TLS12)];
    all.into_iter().filter(|(this, _)| lowest <= *this && *this <= highest).map(|(_, version)| version).collect()
}

/// All items of one kind in a PEM file, at least one.
fn read<T: PemObject>(policy: &TlsPolicy, path: &Path, what: &'static str) -> Result<Vec<T>, Trouble> {
    let items: Result<Vec<T>, _> = T::pem_file_iter(path).and_then(Iterator::collect);
    match items {
        Ok(items) if items.is_empty() => Err(file(policy, path, FileProblem::Nothing(what))),
        Ok(items) => Ok(items),
        Err(error) => Err(unreadable(policy, path, error)),
    }
}

fn unreadable(policy: &TlsPolicy, path: &Path, error: rustls_pki_types::pem::Error) -> Trouble {
    file(policy, path, FileProblem::Pem(error))
}

fn refused(policy: &TlsPolicy, path: &Path, error: &rustls::Error) -> Trouble {
    file(policy, path, FileProblem::Refused(error.to_string()))
}

fn file(policy: &TlsPolicy, path: &Path, problem: FileProblem) -> Trouble {
    Trouble::File { policy: policy.name.to_string(), path: path.to_owned(), problem }
}
