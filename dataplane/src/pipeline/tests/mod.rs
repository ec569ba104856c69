//! Stories of the packet path: what passes, what is dropped and by what name, what control learns. Each ends by saying
//! exactly which counters moved.

mod firewall;
mod sessions;
