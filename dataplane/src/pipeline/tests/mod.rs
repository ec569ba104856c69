//! Stories of the packet path: what passes, what is dropped and by what name, what control learns. Each says exactly which
//! counters moved.

mod access;
mod any_bytes;
mod applications;
mod attacks;
mod blocked;
mod encapsulation;
mod evasion;
mod firewall;
mod fragments;
mod icmp;
mod lanes;
mod logins;
mod own;
mod policies;
mod radius;
mod resets;
mod routed_translation;
mod routing;
mod screens;
mod sessions;
mod sides;
mod tracing;
mod translation;
mod users;
