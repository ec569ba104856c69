//! Who is online: sightings of many flows become one login, one logout, one sighting.

pub mod im;
mod life;
mod place;
mod visit;
