//! Offline replay: capture files through the same pipeline as live frames, with capture time as the clock.

pub mod capture;
pub mod link;
mod pcapng;
mod window;
