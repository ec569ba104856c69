//! Who is online: sightings of many flows become one login, one logout, one sighting.

pub mod access;
pub mod im;
mod life;
mod moves;
mod place;
pub mod store;
mod visit;
