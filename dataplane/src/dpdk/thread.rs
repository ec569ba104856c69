//! Threads and CPUs: what a worker's thread needs before it touches a port.

use std::marker::PhantomData;

use super::errno::Errno;
use super::error::SetupError;

/// The calling thread as a worker: bound to one CPU and known to DPDK, so that the packet pool keeps a cache for it
/// (without it, each buffer costs half as much again). Ends with the value.
#[derive(Debug)]
pub struct WorkerThread {
    /// It is about this thread, and must be dropped on it.
    thread: PhantomData<*const ()>,
}

impl WorkerThread {
    /// Binds the calling thread to `cpu` and registers it (`rte_thread_register`).
    pub fn enter(cpu: u16) -> Result<Self, SetupError> {
        bind_to(cpu)?;
        // SAFETY: the thread is not an EAL thread; registering twice is refused by DPDK.
        let result = unsafe { dpdk_sys::rte_thread_register() };
        if result < 0 {
            return Err(SetupError::Thread { cpu, step: "register with DPDK", errno: Errno::last() });
        }
        Ok(Self { thread: PhantomData })
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        // SAFETY: this thread registered itself, and this value cannot leave it.
        unsafe { dpdk_sys::rte_thread_unregister() };
    }
}

/// Binds the calling thread, and those that it starts from now on, to `cpu`: one that reads what a worker writes must not
/// take the worker's CPU for a moment.
///
/// # Errors
/// If there is no such CPU, or the thread may not run on it.
pub fn bind_to(cpu: u16) -> Result<(), SetupError> {
    let failed = |errno| SetupError::Thread { cpu, step: "be bound to it", errno };
    Affinity::only(cpu).set().map_err(failed)
}

/// The CPUs that a thread may run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Affinity([u8; CPUS]);

impl Affinity {
    /// Those of the calling thread.
    pub(super) fn current() -> Self {
        let mut allowed = [0; CPUS];
        // SAFETY: writes CPUS bytes.
        let result = unsafe { dpdk_sys::ostiary_affinity(allowed.as_mut_ptr(), CPUS as u32) };
        if Errno::check_positive(result).is_err() {
            // More CPUs than a cpu_set_t has: then all of those.
            allowed = [1; CPUS];
        }
        Self(allowed)
    }

    fn only(cpu: u16) -> Self {
        let mut allowed = [0; CPUS];
        if let Some(slot) = allowed.get_mut(usize::from(cpu)) {
            *slot = 1;
        }
        Self(allowed)
    }

    fn set(&self) -> Result<(), Errno> {
        // SAFETY: reads CPUS bytes.
        Errno::check_positive(unsafe { dpdk_sys::ostiary_set_affinity(self.0.as_ptr(), CPUS as u32) })
    }

    /// Gives the calling thread these CPUs back.
    pub(super) fn restore(&self) {
        // It had them a moment ago. Where they were taken away since, the kernel's choice stays.
        let _ = self.set();
    }

    /// As EAL's `--lcores` writes a set: `0-3,8`.
    pub(super) fn list(&self) -> String {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (cpu, _) in self.0.iter().enumerate().filter(|(_, allowed)| **allowed != 0) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => ranges.push((cpu, cpu)),
            }
        }
        let text = |&(first, last): &(usize, usize)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        ranges.iter().map(text).collect::<Vec<_>>().join(",")
    }
}

/// CPU_SETSIZE.
const CPUS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_cpus_is_written_in_ranges() {
        let mut set = [0; CPUS];
        for cpu in [0, 1, 2, 5, 7, 8] {
            set[cpu] = 1;
        }
        assert_eq!(Affinity(set).list(), "0-2,5,7-8");
    }

    #[test]
    fn no_thread_is_bound_to_a_cpu_that_is_not_there() {
        std::thread::spawn(|| assert_eq!(Affinity::only(1023).set(), Err(Errno::EINVAL))).join().unwrap();
    }
}
