//! The programs that mend: as they are called where they are installed, or in a checkout.

use std::path::Path;

use super::Machine;

/// How the operator calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hands {
    /// This program.
    pub ostiary: String,
    bind_nic: String,
    hugepages: String,
}

impl Hands {
    /// Of the program at `program`, called from `folder`: scripts beside the checkout that it was built in, else those that
    /// the package installs.
    pub fn of(program: &Path, folder: &Path) -> Self {
        let checkout = program.ancestors().skip(1).find(|folder| folder.join("scripts/bind-nic").is_file());
        let Some(checkout) = checkout else {
            return Self {
                ostiary: "ostiary".to_owned(),
                bind_nic: "ostiary-bind-nic".to_owned(),
                hugepages: "ostiary-hugepages".to_owned(),
            };
        };
        let near = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
        Self {
            ostiary: near(program),
            bind_nic: near(&checkout.join("scripts/bind-nic")),
            hugepages: near(&checkout.join("scripts/hugepages")),
        }
    }

    /// Of the program that runs.
    pub fn here() -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        Self::of(&program, &std::env::current_dir().unwrap_or_default())
    }

    /// Binds NICs to a driver that hands them to DPDK, now and at every start of the machine.
    pub(super) fn bind(&self, addresses: &str) -> String {
        format!("sudo {} --persist {addresses}", self.bind_nic)
    }

    /// Lists the NICs.
    pub(super) fn list_nics(&self) -> String {
        self.bind_nic.clone()
    }

    /// Reserves hugepages so that `more` MiB more than now are free, now and at every start of the machine; on one NUMA
    /// node, or spread.
    pub(super) fn reserve(&self, machine: &Machine, more: u32, node: Option<u32>) -> String {
        let folder = match node {
            Some(node) => format!("sys/devices/system/node/node{node}/hugepages/hugepages-2048kB"),
            None => "sys/kernel/mm/hugepages/hugepages-2048kB".to_owned(),
        };
        // Pages of 2 MiB; the script is told how much there is to be in all.
        let have: u64 = machine.number(&format!("{folder}/nr_hugepages")).unwrap_or(0);
        let mib = have * 2 + u64::from(more).next_multiple_of(2);
        let node = node.map(|node| format!(" --node {node}")).unwrap_or_default();
        format!("sudo {} {mib}M{node} --persist", self.hugepages)
    }
}
