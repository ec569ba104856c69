//! Sources whose traffic is dropped for a time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dataplane::time::Nanos;

/// So many sources at most: they are a rule of the policy.
pub const SOURCES: usize = 256;

/// The sources, and until when.
#[derive(Debug, Default)]
pub struct Blocked {
    sources: BTreeMap<IpAddr, Nanos>,
    changed: bool,
}

impl Blocked {
    /// Drops the traffic of a source until then; where it is dropped already, until the later time.
    ///
    /// # Errors
    /// Where there are [`SOURCES`] already.
    pub fn add(&mut self, source: IpAddr, until: Nanos) -> Result<(), String> {
        let room = self.sources.len() < SOURCES;
        match self.sources.get_mut(&source) {
            Some(known) => *known = (*known).max(until),
            None if room => {
                self.sources.insert(source, until);
                self.changed = true;
            }
            None => return Err(format!("{SOURCES} sources are blocked already")),
        }
        Ok(())
    }

    /// Sources whose time is over.
    pub fn expire(&mut self, now: Nanos) -> Vec<IpAddr> {
        let over: Vec<IpAddr> =
            self.sources.iter().filter(|(_, until)| **until <= now).map(|(source, _)| *source).collect();
        for source in &over {
            self.sources.remove(source);
            self.changed = true;
        }
        over
    }

    /// All, where they changed since they were taken last.
    pub fn take_changed(&mut self) -> Option<Vec<IpAddr>> {
        std::mem::take(&mut self.changed).then(|| self.sources.keys().copied().collect())
    }

    /// They have to be taken once more: what was to be made of them came to nothing.
    pub fn again(&mut self) {
        self.changed = true;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sources.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_dropped_for_their_time_and_bounded() {
        let mut blocked = Blocked::default();
        let source = |number: u32| IpAddr::from(number.to_be_bytes());
        blocked.add(source(1), Nanos(10)).unwrap();
        blocked.add(source(1), Nanos(5)).unwrap();
        assert_eq!((blocked.take_changed(), blocked.take_changed()), (Some(vec![source(1)]), None));
        assert_eq!((blocked.expire(Nanos(9)), blocked.take_changed()), (vec![], None));
        assert_eq!(blocked.expire(Nanos(10)), [source(1)]);
        assert_eq!(blocked.take_changed(), Some(vec![]));
        (0..SOURCES as u32).for_each(|number| blocked.add(source(number), Nanos(20)).unwrap());
        assert!(blocked.add(source(9_999), Nanos(20)).is_err() && blocked.add(source(3), Nanos(30)).is_ok());
        assert_eq!((blocked.expire(Nanos(20)).len(), blocked.count()), (SOURCES - 1, 1));
    }
}
