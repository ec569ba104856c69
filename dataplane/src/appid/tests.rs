//! The engine with the signatures that are shipped, segment by segment.
