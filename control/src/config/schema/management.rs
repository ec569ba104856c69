//! `[management]`, `[configuration]`, `[metrics]` and `[dashboard]`: who may look and change, and by which doors.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::super::document::{Located, Notes, Section};
use super::super::fault::Place;
use super::super::value;

/// `[management]`.
#[derive(Debug)]
pub(crate) struct Management {
    /// `socket`.
    pub(crate) socket: PathBuf,
    /// `tap`: the kernel's interface that serves our own addresses; default none.
    pub(crate) tap: Option<Located<String>>,
    /// `[management.roles]`; default: whoever may connect is an administrator.
    pub(crate) roles: Option<Roles>,
}

/// `[management.roles]`: the Unix groups that have each role, by name or number.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// `read-only`.
    pub(crate) read_only: Vec<Located<String>>,
    /// `auditor`.
    pub(crate) auditor: Vec<Located<String>>,
    /// `operator`.
    pub(crate) operator: Vec<Located<String>>,
    /// `administrator`.
    pub(crate) administrator: Vec<Located<String>>,
}

impl Management {
    /// Where `ostiary show` finds the running process unless told otherwise.
    pub(crate) const SOCKET: &'static str = "/run/ostiary/ostiary.sock";

    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let mut read = Self { socket: PathBuf::from(Self::SOCKET), tap: None, roles: None };
        let Some(mut section) = section else { return read };
        if let Some(path) = section.optional("socket", notes, value::socket_path) {
            read.socket = path.value;
        }
        read.tap = section.optional("tap", notes, value::interface_name);
        read.roles = section.table("roles", notes).map(|roles| Roles::read(roles, notes));
        section.finish(notes);
        read
    }
}

impl Roles {
    fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let mut groups = |key| section.list(key, notes, value::group).map(|list| list.value).unwrap_or_default();
        let read = Self {
            read_only: groups("read-only"),
            auditor: groups("auditor"),
            operator: groups("operator"),
            administrator: groups("administrator"),
        };
        section.finish(notes);
        read
    }
}

/// `[configuration]`.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// `generations`: how many are kept; default 50.
    pub(crate) generations: usize,
}

impl Configuration {
    const GENERATIONS: usize = 50;

    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let mut read = Self { generations: Self::GENERATIONS };
        let Some(mut section) = section else { return read };
        if let Some(generations) = section.optional("generations", notes, value::number(1_usize, 1_000)) {
            read.generations = generations.value;
        }
        section.finish(notes);
        read
    }
}

/// `[metrics]`.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Its place.
    pub(crate) place: Place,
    /// `listen`.
    pub(crate) listen: Option<Located<SocketAddr>>,
    /// `certificate`: with a key, TLS is spoken.
    pub(crate) certificate: Option<Located<PathBuf>>,
    /// `key`.
    pub(crate) key: Option<Located<PathBuf>>,
    /// `client-ca`: clients have to show a certificate of it.
    pub(crate) client_ca: Option<Located<PathBuf>>,
}

impl Metrics {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Option<Self> {
        let mut section = section?;
        let read = Self {
            place: section.place().clone(),
            listen: section.required("listen", notes, "address and port, like \"127.0.0.1:9477\"", value::listen),
            certificate: section.optional("certificate", notes, value::path),
            key: section.optional("key", notes, value::path),
            client_ca: section.optional("client-ca", notes, value::path),
        };
        section.finish(notes);
        Some(read)
    }
}

/// `[dashboard]`.
#[derive(Debug)]
pub(crate) struct Dashboard {
    /// Its place.
    pub(crate) place: Place,
    /// `listen`.
    pub(crate) listen: Option<Located<SocketAddr>>,
    /// `certificate`: with a key, TLS is spoken.
    pub(crate) certificate: Option<Located<PathBuf>>,
    /// `key`.
    pub(crate) key: Option<Located<PathBuf>>,
    /// `token-file`: what whoever looks has to know is in it.
    pub(crate) token_file: Option<Located<PathBuf>>,
    /// `users`: whether they are named; default false.
    pub(crate) users: bool,
    /// `audit`: whether the end of the trail is shown; default false.
    pub(crate) audit: bool,
}

impl Dashboard {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Option<Self> {
        let mut section = section?;
        let read = Self {
            place: section.place().clone(),
            listen: section.required("listen", notes, "address and port, like \"127.0.0.1:8443\"", value::listen),
            certificate: section.optional("certificate", notes, value::path),
            key: section.optional("key", notes, value::path),
            token_file: section.optional("token-file", notes, value::path),
            users: section.optional("users", notes, value::boolean).is_some_and(|on| on.value),
            audit: section.optional("audit", notes, value::boolean).is_some_and(|on| on.value),
        };
        section.finish(notes);
        Some(read)
    }
}
