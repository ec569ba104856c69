//! What a configuration needs of the machine: cores that exist, files that can be read.

use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::document::{Located, Notes};
use super::schema::Source;

/// Notes everything that the machine lacks.
pub(super) fn inspect(source: &Source, notes: &mut Notes) {
    workers(source, &online_cores(), notes);
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

fn workers(source: &Source, online: &[u16], notes: &mut Notes) {
    let workers = &source.dataplane.workers;
    for (index, worker) in workers.iter().enumerate() {
        if workers[..index].iter().any(|other| other.value == worker.value) {
            let advice = "remove one: two workers on one core wait for each other";
            notes.fault(&worker.place, Some(worker.value.to_string()), "each core once", advice);
        } else if !online.contains(&worker.value) {
            let list: Vec<String> = online.iter().map(u16::to_string).collect();
            let expected = format!("a core of this machine: {}", list.join(", "));
            notes.fault(
                &worker.place,
                Some(worker.value.to_string()),
                expected,
                "choose others, see: lscpu --extended",
            );
        }
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

/// The cores that the kernel runs.
pub(super) fn online_cores() -> Vec<u16> {
    let list = std::fs::read_to_string(Path::new("/sys/devices/system/cpu/online")).unwrap_or_default();
    let cores = parse_cores(list.trim());
    if !cores.is_empty() {
        return cores;
    }
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    (0..u16::try_from(count).unwrap_or(u16::MAX)).collect()
}

/// The kernel's list format: `0-3,8,10-11`.
fn parse_cores(list: &str) -> Vec<u16> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            cores.extend(first..=last);
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        assert_eq!(parse_cores("0-1"), [0, 1]);
        assert_eq!(parse_cores("0,2-4,9"), [0, 2, 3, 4, 9]);
        assert!(online_cores().contains(&0));
    }
}
