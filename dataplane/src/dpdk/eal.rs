//! DPDK's environment: memory, devices and the once-a-process start.

use std::ffi::{CStr, CString, c_char};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::device::PciAddress;
use super::errno::Errno;
use super::error::SetupError;
use super::thread::Affinity;

/// What EAL is started with.
#[derive(Clone, Debug)]
pub struct EalConfig {
    /// Names the process's runtime folder, together with its process id.
    pub file_prefix: String,
    /// For packet buffers and rings.
    pub memory: Memory,
    /// The NICs that it may touch; all others are left alone.
    pub nics: Vec<PciAddress>,
}

/// Where EAL's memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Hugepages, reserved by the host; none of them outlives the process.
    Hugepages {
        /// How much is taken at the start; EAL takes more where it has to and can.
        mib: u32,
    },
    /// Ordinary pages: for software ports.
    Ordinary {
        /// How much there is, at most.
        mib: u32,
    },
}

/// The running environment; dropped, it is cleaned up and its runtime folder removed.
#[derive(Debug)]
pub struct Eal {
    runtime_folder: PathBuf,
    /// Whether memory is on hugepages.
    hugepages: bool,
    /// Whether memory is still in use that will never be given back.
    leaked: AtomicBool,
}

impl Eal {
    /// Starts EAL. The calling thread keeps the CPUs it may run on.
    pub fn start(config: &EalConfig) -> Result<Arc<Self>, SetupError> {
        let arguments = config.arguments(&Affinity::current()).into_iter();
        let arguments = arguments
            .map(|text| CString::new(text).map_err(|error| SetupError::ZeroByte(lossy(error.into_vec()))))
            .collect::<Result<Vec<_>, _>>()?;
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err(SetupError::StartedBefore);
        }
        let before = Affinity::current();
        let mut pointers: Vec<*mut c_char> = arguments.iter().map(|text| text.as_ptr().cast_mut()).collect();
        // SAFETY: `pointers` holds that many strings that live past the call. EAL permutes the pointers, writes to no
        // string, and keeps copies.
        let parsed = unsafe { dpdk_sys::rte_eal_init(pointers.len() as i32, pointers.as_mut_ptr()) };
        let errno = Errno::last();
        // EAL pins the thread that starts it, and threads spawned later would inherit that.
        before.restore();
        if parsed < 0 {
            return Err(SetupError::Eal { errno });
        }
        // SAFETY: EAL runs, so the function returns a string that lives as long as the process.
        let folder = unsafe { CStr::from_ptr(dpdk_sys::rte_eal_get_runtime_dir()) };
        let runtime_folder = PathBuf::from(lossy(folder.to_bytes().to_vec()));
        let hugepages = matches!(config.memory, Memory::Hugepages { .. });
        Ok(Arc::new(Self { runtime_folder, hugepages, leaked: AtomicBool::new(false) }))
    }

    /// Whether memory is on hugepages.
    pub fn hugepages(&self) -> bool {
        self.hugepages
    }

    /// DPDK's version as it says itself, "DPDK 22.11.11".
    pub fn version() -> String {
        // SAFETY: returns a constant string.
        let version = unsafe { CStr::from_ptr(dpdk_sys::rte_version()) };
        lossy(version.to_bytes().to_vec())
    }

    /// The folder that EAL takes drivers from when it starts, as it was compiled in.
    pub fn driver_folder() -> &'static str {
        CStr::from_bytes_until_nul(dpdk_sys::RTE_EAL_PMD_PATH)
            .ok()
            .and_then(|path| path.to_str().ok())
            .unwrap_or_default()
    }

    /// Something keeps using EAL's memory: it stays mapped to the end of the process.
    pub(super) fn leak(&self) {
        self.leaked.store(true, Ordering::Relaxed);
    }
}

impl Drop for Eal {
    fn drop(&mut self) {
        if !self.leaked.load(Ordering::Relaxed) {
            // SAFETY: pools, ports and queues hold this value, so none of them is left; neither is a frame, or the pool
            // would have called `leak`.
            unsafe { dpdk_sys::rte_eal_cleanup() };
        }
        // Ours alone, by the process id in its name. Where it cannot be removed, an empty folder stays: no harm.
        let _ = fs::remove_dir_all(&self.runtime_folder);
    }
}

impl EalConfig {
    /// The command line for `rte_eal_init`.
    fn arguments(&self, affinity: &Affinity) -> Vec<String> {
        let mut arguments = vec![
            "ostiary".to_owned(),
            format!("--file-prefix={}-{}", self.file_prefix, std::process::id()),
            // One EAL thread, this one, that may run where it may run now. Workers register themselves.
            format!("--lcores=0@({})", affinity.list()),
            "--no-telemetry".to_owned(),
            "--log-level=*:error".to_owned(),
        ];
        match self.memory {
            // Pages without files: they are free again however the process ends.
            Memory::Hugepages { mib } => arguments.extend(["--in-memory".to_owned(), format!("-m{mib}")]),
            Memory::Ordinary { mib } => {
                arguments.extend(["--no-huge".to_owned(), "--no-shconf".to_owned(), format!("-m{mib}")]);
            }
        }
        if self.nics.is_empty() {
            arguments.push("--no-pci".to_owned());
        }
        for nic in &self.nics {
            arguments.push(format!("--allow={nic}"));
        }
        arguments
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `rte_eal_init` works once in a process, whether it succeeds or not.
static STARTED: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_nics_the_bus_is_left_alone() {
        let config =
            EalConfig { file_prefix: "test".to_owned(), memory: Memory::Ordinary { mib: 64 }, nics: Vec::new() };
        let arguments = config.arguments(&Affinity::current());
        assert!(arguments.contains(&"--no-pci".to_owned()) && arguments.contains(&"--no-huge".to_owned()));
        assert!(!arguments.iter().any(|argument| argument.starts_with("--allow")));
    }

    #[test]
    fn with_nics_only_those_are_touched() {
        let nic = PciAddress { domain: 0, bus: 0x3b, device: 0, function: 1 };
        let config =
            EalConfig { file_prefix: "test".to_owned(), memory: Memory::Hugepages { mib: 64 }, nics: vec![nic] };
        let arguments = config.arguments(&Affinity::current());
        assert!(arguments.contains(&"--allow=0000:3b:00.1".to_owned()));
        assert!(!arguments.contains(&"--no-pci".to_owned()));
    }
}
