//! What a configuration needs of the machine: cores that exist, files that can be read.

use std::path::{Path, PathBuf};

use dataplane::load::Idle;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::document::{Located, Notes};
use super::schema::Source;

/// Notes everything that the machine lacks.
pub(super) fn inspect(source: &Source, notes: &mut Notes) {
    workers(source, &allowed_cores(), notes);
    ways(source, notes);
    for policy in &source.ssl_policies {
        let files = [(&policy.ca, "a certificate"), (&policy.certificate, "a certificate")];
        for (file, what) in files.into_iter().filter_map(|(file, what)| Some((file.as_ref()?, what))) {
            pem_file(file, what, |octets| all(CertificateDer::pem_slice_iter(octets)), notes);
        }
        for file in &policy.crl {
            pem_file(
                file,
                "a revocation list",
                |octets| all(CertificateRevocationListDer::pem_slice_iter(octets)),
                notes,
            );
        }
        if let Some(file) = &policy.key {
            pem_file(file, "a private key", |octets| PrivateKeyDer::from_pem_slice(octets).map(|_| ()), notes);
        }
    }
}

/// What the way to a log host is bound to is there, or will have to be: a warning, as it may come later.
fn ways(source: &Source, notes: &mut Notes) {
    for host in &source.hosts {
        if let Some(namespace) = &host.way.namespace
            && !namespace.value.exists()
        {
            let effect = format!("{} is not there: nothing is sent until it is", namespace.value.display());
            notes.warn(&namespace.place, effect, "make it with: ip netns add NAME");
        }
        // Those of another namespace are not seen from here.
        if let (Some(interface), None) = (&host.way.interface, &host.way.namespace)
            && !Path::new("/sys/class/net").join(&interface.value).exists()
        {
            let effect = format!("there is no interface {}: nothing is sent until there is", interface.value);
            notes.warn(&interface.place, effect, "see: ip link");
        }
    }
}

fn workers(source: &Source, allowed: &[u16], notes: &mut Notes) {
    let mut used: Vec<u16> = Vec::new();
    let dataplane = &source.dataplane;
    for core in &dataplane.workers {
        one(core, &used, allowed, "remove one: two workers on one core wait for each other", notes);
        used.push(core.value);
    }
    if let Some(core) = &dataplane.dispatcher {
        // One that sleeps while nothing comes leaves its core to the other.
        let taken = if dataplane.idle == Idle::BackOff { &[] } else { &used[..] };
        let advice = "choose another, or idle = \"back-off\": a worker and a dispatcher that poll on one core wait for each other";
        one(core, taken, allowed, advice, notes);
    }
}

fn one(core: &Located<u16>, taken: &[u16], allowed: &[u16], advice: &str, notes: &mut Notes) {
    let found = Some(core.value.to_string());
    if taken.contains(&core.value) {
        notes.fault(&core.place, found, "each core once", advice);
    } else if !allowed.contains(&core.value) {
        let list: Vec<String> = allowed.iter().map(u16::to_string).collect();
        let expected = format!("a core that this process may run on: {}", list.join(", "));
        notes.fault(&core.place, found, expected, "choose others, see: lscpu --extended");
    }
}

fn all<T>(items: impl Iterator<Item = Result<T, pem::Error>>) -> Result<(), pem::Error> {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Err(pem::Error::NoItemsFound);
    }
    items.try_for_each(|item| item.map(|_| ()))
}

fn pem_file(file: &Located<PathBuf>, what: &str, read: impl Fn(&[u8]) -> Result<(), pem::Error>, notes: &mut Notes) {
    let name = file.value.display();
    match std::fs::read(&file.value) {
        Err(error) => {
            let found = Some(format!("{name} ({error})"));
            notes.fault(
                &file.place,
                found,
                format!("a file with {what} that can be read"),
                "put it there, or correct the path",
            );
        }
        Ok(octets) => {
            if let Err(error) = read(&octets) {
                let found = Some(format!("{name} ({error})"));
                notes.fault(
                    &file.place,
                    found,
                    format!("{what} in PEM form"),
                    "convert it, see: openssl x509 -help, openssl pkey -help",
                );
            }
        }
    }
}

/// The cores that this process may run on.
pub(crate) fn allowed_cores() -> Vec<u16> {
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else {
        // The kernel always answers for the caller; were it not to, one core is certain.
        return vec![0];
    };
    let most = u16::try_from(rustix::thread::CpuSet::MAX_CPU).unwrap_or(u16::MAX);
    (0..most).filter(|core| allowed.is_set(usize::from(*core))).collect()
}
