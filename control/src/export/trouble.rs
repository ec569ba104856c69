//! Why a log host cannot be reached, in words that tell an operator what to look at.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use rustls_pki_types::pem;
use thiserror::Error;

use super::relp;

/// What went wrong between us and a log host. Never fatal: the connection is tried again.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    /// What is asked for is not in this build.
    #[error("{0} is not in this build")]
    Unsupported(&'static str),
    /// The socket could not be made or set up.
    #[error("cannot open a socket: {0}")]
    Socket(io::Error),
    /// connect(2) failed, at once or later.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// No answer to a connection attempt.
    #[error("cannot connect: no answer within {0} s")]
    ConnectTimeout(u64),
    /// The handshake did not end.
    #[error("TLS handshake not finished within {0} s; does the host speak TLS on this port?")]
    HandshakeTimeout(u64),
    /// The host closed during the handshake.
    #[error("the host closed the connection during the TLS handshake; does it speak TLS on this port?")]
    HandshakeClosed,
    /// The name has no address.
    #[error("cannot look up {0}: {1}")]
    Name(Box<str>, io::Error),
    /// The network namespace cannot be entered.
    #[error("cannot enter the network namespace {0}: {1}")]
    Namespace(PathBuf, io::Error),
    /// The interface cannot be bound to.
    #[error("cannot bind to interface {0}: {1}")]
    Interface(String, io::Error),
    /// The source address cannot be bound to.
    #[error("cannot send from {0}: {1}")]
    Source(IpAddr, io::Error),
    /// RELP's `open` has no answer.
    #[error("no answer to RELP's open within {0} s; does the host speak RELP on this port?")]
    RelpTimeout(u64),
    /// The host closed instead of answering RELP's `open`.
    #[error("the host closed the connection in place of opening a RELP session; does it speak RELP on this port?")]
    RelpClosed,
    /// What the host says in RELP, or that it ends the session.
    #[error("{0}")]
    Relp(relp::Fault),
    /// The host closed an established connection.
    #[error("the host closed the connection")]
    Closed,
    /// The host's kernel takes nothing more, for this many seconds.
    #[error("the host took nothing for {0} s")]
    Stalled(u64),
    /// RELP: an answer to what the host was not sent.
    #[error("the host answered transaction {0}, which is not under way")]
    Answer(u32),
    /// Reading or writing failed.
    #[error("connection lost: {0}")]
    Lost(io::Error),
    /// An ICMP error came back for a datagram, or there is no route.
    #[error("the host cannot be reached (ICMP), the last datagrams may be lost: {0}")]
    Icmp(io::Error),
    /// The file that records go to cannot be written.
    #[error("cannot write {0}: {1}")]
    Target(PathBuf, io::Error),
    /// The Kafka cluster cannot be used.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// A file of an ssl-policy cannot be used.
    #[error("ssl-policy {policy}: {path}: {problem}")]
    File { policy: String, path: PathBuf, problem: FileProblem },
    /// The parts of an ssl-policy do not go together.
    #[error("ssl-policy {policy}: {problem}")]
    Policy { policy: String, problem: String },
    /// TLS itself, or a certificate.
    #[error("{}", tls_words(.0))]
    Tls(rustls::Error),
}

/// What is wrong with a file.
#[derive(Debug, Error)]
pub(super) enum FileProblem {
    /// It cannot be read, or is no PEM.
    #[error("{0}")]
    Pem(pem::Error),
    /// It is PEM, but of something else.
    #[error("holds no {0}")]
    Nothing(&'static str),
    /// rustls does not take it.
    #[error("{0}")]
    Refused(String),
}

/// What TLS refused, from the operator's point of view.
fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(certificate) => {
            format!("the host's certificate is refused: {}", certificate_words(certificate))
        }
        rustls::Error::NoCertificatesPresented => "the host presents no certificate".into(),
        rustls::Error::AlertReceived(alert) => format!("the host refuses us: {}", alert_words(*alert)),
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig) => {
            "the host speaks only TLS versions that the ssl-policy excludes".into()
        }
        rustls::Error::PeerIncompatible(why) => format!("the host's TLS does not fit ours: {why:?}"),
        rustls::Error::InvalidMessage(_) => {
            format!("the host does not speak TLS on this port, or speaks it wrongly: {error}")
        }
        other => format!("TLS failed: {other}"),
    }
}

fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!("it has expired ({error})"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("it is not valid yet; is the clock right? ({error})")
        }
        CertificateError::Revoked => "it is revoked".into(),
        CertificateError::UnknownIssuer => "it is signed by no authority of the ssl-policy's ca file".into(),
        CertificateError::UnknownRevocationStatus => {
            "no revocation list of the ssl-policy tells whether it, or its issuer, is revoked".into()
        }
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            format!("the revocation list is out of date, fetch a newer one ({error})")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it is for another name ({error})")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("it is not meant for servers ({error})")
        }
        other => other.to_string(),
    }
}

fn alert_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "it asks for a client certificate, the ssl-policy has none".into(),
        AlertDescription::UnknownCA => "it does not know the authority of our certificate".into(),
        AlertDescription::CertificateExpired => "our certificate has expired".into(),
        AlertDescription::CertificateRevoked => "our certificate is revoked".into(),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => format!("it does not accept our certificate (alert {alert:?})"),
        AlertDescription::ProtocolVersion => "it speaks no TLS version that the ssl-policy allows".into(),
        AlertDescription::HandshakeFailure => {
            "handshake failure: no common cipher suite, or it asks for a client certificate".into()
        }
        other => format!("TLS alert {other:?}"),
    }
}
