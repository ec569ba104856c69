//! `[log.*]` and `[ssl-policy.NAME]`: what is recorded and in which form, and how hosts are believed.

use std::path::PathBuf;

use toml::de::DeValue;

use super::super::document::{Located, Notes, Section};
use super::super::fault::Place;
use super::super::value::{self, Refusal};
use super::delivery::SpoolKeys;
use crate::config::ImLogging;
use crate::export::{Format, TlsVersion};
use crate::record::ipfix::AccessVersion;

/// `[log]`: what is recorded.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// `[log.session]`.
    pub(crate) session: LogSession,
    /// `[log.im]`.
    pub(crate) im: LogIm,
    /// `[log.access]`.
    pub(crate) access: LogAccess,
    /// `[log.call-status]`.
    pub(crate) call_status: LogAccess,
    /// `[log.spool]`.
    pub(crate) spool: SpoolKeys,
    /// Where that is written, if it is.
    pub(crate) spool_place: Option<Place>,
}

/// `[log.session]`.
#[derive(Debug)]
pub(crate) struct LogSession {
    /// `type`; default binary.
    pub(crate) format: Format,
}

impl Default for LogSession {
    fn default() -> Self {
        Self { format: Format::Binary }
    }
}

/// How accounts are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AccountForm {
    /// As seen.
    #[default]
    Clear,
    /// A keyed hash of it.
    Pseudonym,
    /// Not at all.
    Omit,
}

/// `[log.im]`.
#[derive(Debug)]
pub(crate) struct LogIm {
    /// Where the section is written, if it is.
    pub(crate) place: Option<Place>,
    /// `enable`; default false.
    pub(crate) enable: bool,
    /// `type`; default: as `[log.session]`.
    pub(crate) format: Option<Format>,
    /// `account`; default clear.
    pub(crate) account: AccountForm,
    /// `[log.im.accounts]`: other forms for some applications.
    pub(crate) accounts: Vec<(Located<String>, AccountForm)>,
    /// `pseudonym-key-file`.
    pub(crate) key_file: Option<Located<PathBuf>>,
    /// `applications`; default: every one whose sign-ons the signatures know.
    pub(crate) applications: Option<Vec<Located<String>>>,
    /// `users-per-address`: of one application; default 64.
    pub(crate) users_per_address: usize,
}

impl Default for LogIm {
    fn default() -> Self {
        Self {
            place: None,
            enable: false,
            format: None,
            account: AccountForm::Clear,
            accounts: Vec::new(),
            key_file: None,
            applications: None,
            users_per_address: ImLogging::USERS_PER_ADDRESS,
        }
    }
}

/// `[log.access]`, and `[log.call-status]`, which has no version.
#[derive(Debug, Default)]
pub(crate) struct LogAccess {
    /// Where the section is written, if it is.
    pub(crate) place: Option<Place>,
    /// `enable`; default false.
    pub(crate) enable: bool,
    /// `type`; default: as `[log.session]`.
    pub(crate) format: Option<Format>,
    /// `version` of binary records; no default.
    pub(crate) version: Option<Located<AccessVersion>>,
}

const FORMATS: &[(&str, Format)] = &[("binary", Format::Binary), ("syslog", Format::Syslog)];
/// Of records of access users.
const ACCESS_FORMATS: &[(&str, Format)] =
    &[("binary", Format::Binary), ("syslog", Format::Syslog), ("huawei", Format::Huawei)];
/// Of log hosts.
pub(super) const ALL_FORMATS: &[(&str, Format)] = &[
    ("binary", Format::Binary),
    ("syslog", Format::Syslog),
    ("rfc3164", Format::Rfc3164),
    ("json", Format::Json),
    ("cef", Format::Cef),
    ("huawei", Format::Huawei),
];

impl Log {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let mut read = Self::default();
        let Some(mut section) = section else { return read };
        if let Some(mut section) = section.table("session", notes) {
            if let Some(format) = section.optional("type", notes, value::choice(FORMATS, &[])) {
                read.session.format = format.value;
            }
            section.finish(notes);
        }
        if let Some(section) = section.table("im", notes) {
            read.im = LogIm::read(section, notes);
        }
        if let Some(mut section) = section.table("access", notes) {
            let version = section.optional("version", notes, access_version);
            read.access = LogAccess { version, ..LogAccess::read(section, notes) };
        }
        if let Some(section) = section.table("call-status", notes) {
            read.call_status = LogAccess::read(section, notes);
        }
        if let Some(spool) = section.table("spool", notes) {
            read.spool_place = Some(spool.place().clone());
            read.spool = SpoolKeys::read(spool, notes);
        }
        section.finish(notes);
        read
    }
}

impl LogAccess {
    fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let read = Self {
            place: Some(section.place().clone()),
            enable: section.optional("enable", notes, value::boolean).is_some_and(|on| on.value),
            format: section.optional("type", notes, value::choice(ACCESS_FORMATS, &[])).map(|format| format.value),
            version: None,
        };
        section.finish(notes);
        read
    }
}

/// A version of binary records, 1 to 4.
fn access_version(value: &DeValue<'_>) -> Result<AccessVersion, Refusal> {
    Ok(match value::number(1_u8, 4)(value)? {
        1 => AccessVersion::V1,
        2 => AccessVersion::V2,
        3 => AccessVersion::V3,
        _ => AccessVersion::V4,
    })
}

impl LogIm {
    fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let forms =
            &[("clear", AccountForm::Clear), ("pseudonym", AccountForm::Pseudonym), ("omit", AccountForm::Omit)];
        let accounts = section.table("accounts", notes).map(|accounts| {
            let entries = accounts.named(notes).into_iter().filter_map(|(name, written)| {
                match value::choice(forms, &[])(written.get_ref()) {
                    Ok(form) => Some((name, form)),
                    Err(refusal) => {
                        notes.refused(&name.place, written, refusal);
                        None
                    }
                }
            });
            entries.collect()
        });
        let read = Self {
            place: Some(section.place().clone()),
            accounts: accounts.unwrap_or_default(),
            users_per_address: section
                .optional("users-per-address", notes, value::number(1_usize, 65_536))
                .map_or(ImLogging::USERS_PER_ADDRESS, |most| most.value),
            enable: section.optional("enable", notes, value::boolean).is_some_and(|on| on.value),
            format: section.optional("type", notes, value::choice(FORMATS, &[])).map(|format| format.value),
            account: section
                .optional("account", notes, value::choice(forms, &[]))
                .map_or_else(Default::default, |form| form.value),
            key_file: section.optional("pseudonym-key-file", notes, value::path),
            applications: section.list("applications", notes, value::name).map(|list| list.value),
        };
        let forms = || std::iter::once(read.account).chain(read.accounts.iter().map(|(_, form)| *form));
        match (forms().any(|form| form == AccountForm::Pseudonym), &read.key_file) {
            (true, None) => {
                let mut place = section.place().clone();
                place.key.push_str(".pseudonym-key-file");
                let expected = "the file of the key that makes the pseudonyms";
                let advice = "make one with: head -c 32 /dev/urandom | base64 > FILE; chmod 600 FILE";
                notes.fault(&place, None, expected, advice);
            }
            (false, Some(file)) => {
                let found = Some(file.value.display().to_string());
                let expected = "no key: only account = \"pseudonym\" uses one";
                notes.fault(&file.place, found, expected, "set account = \"pseudonym\", or remove the key");
            }
            _ => {}
        }
        section.finish(notes);
        read
    }
}

/// One `[ssl-policy.NAME]`.
#[derive(Debug)]
pub(crate) struct SslPolicy {
    /// Its name.
    pub(crate) name: Located<String>,
    /// `ca`.
    pub(crate) ca: Option<Located<PathBuf>>,
    /// `certificate`.
    pub(crate) certificate: Option<Located<PathBuf>>,
    /// `key`.
    pub(crate) key: Option<Located<PathBuf>>,
    /// `server-name`; default: the host's address.
    pub(crate) server_name: Option<Located<String>>,
    /// `crl`; default none.
    pub(crate) crl: Vec<Located<PathBuf>>,
    /// `min-version`; default 1.2.
    pub(crate) min_version: Option<Located<TlsVersion>>,
    /// `max-version`; default 1.3.
    pub(crate) max_version: Option<Located<TlsVersion>>,
}

impl SslPolicy {
    pub(super) fn read_all(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Vec<Self> {
        let sections = section.map_or_else(Vec::new, |section| section.named_tables(notes));
        sections.into_iter().map(|(name, section)| Self::read(name, section, notes)).collect()
    }

    fn read(name: Located<String>, mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let versions = &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
        let read = Self {
            ca: section.required(
                "ca",
                notes,
                "the PEM file of the authorities that sign the host's certificate",
                value::path,
            ),
            certificate: section.optional("certificate", notes, value::path),
            key: section.optional("key", notes, value::path),
            server_name: section.optional("server-name", notes, server_name),
            crl: section.list("crl", notes, value::path).map(|list| list.value).unwrap_or_default(),
            min_version: section.optional("min-version", notes, value::choice(versions, &[])),
            max_version: section.optional("max-version", notes, value::choice(versions, &[])),
            name,
        };
        let missing = match (&read.certificate, &read.key) {
            (Some(certificate), None) => Some((certificate, "key", "the key of this certificate")),
            (None, Some(key)) => Some((key, "certificate", "the certificate of this key")),
            _ => None,
        };
        if let Some((present, absent, expected)) = missing {
            let mut place = present.place.clone();
            place.key = format!("{}.{absent}", read.name.place.key);
            notes.fault(&place, None, expected, format!("add {absent} = \"…\", or remove the other"));
        }
        if let (Some(min), Some(max)) = (&read.min_version, &read.max_version)
            && min.value > max.value
        {
            let expected = "a highest version that is not below the lowest";
            notes.fault(&max.place, Some("1.2".to_owned()), expected, "raise max-version or lower min-version");
        }
        section.finish(notes);
        read
    }
}

fn server_name(value: &DeValue<'_>) -> Result<String, Refusal> {
    let name = value::text(value)?;
    match rustls_pki_types::ServerName::try_from(name.as_str()) {
        Ok(_) => Ok(name),
        Err(_) => Err(Refusal::new(
            "a DNS name or an IP address, as the host's certificate has it",
            "look it up with: openssl x509 -in CERTIFICATE -noout -ext subjectAltName",
        )),
    }
}
