//! How much the two sides of a flow sent in turn: what tells protocols that encrypt from their first octet on.

use crate::matcher::{Outcome, within};
use crate::program::{Ranges, Sender, TURNS};

/// Octets of a flow's first turns, however they were cut into segments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turns {
    octets: [u16; TURNS],
    /// How many turns there were, the one that goes on among them.
    begun: u8,
    server: bool,
}

impl Turns {
    pub(crate) const fn new() -> Self {
        Self { octets: [0; TURNS], begun: 0, server: false }
    }

    /// Counts octets that arrived.
    pub(crate) fn count(&mut self, from: Sender, octets: usize) {
        if octets == 0 || usize::from(self.begun) > TURNS {
            return;
        }
        let server = from == Sender::Server;
        if self.begun == 0 || server != self.server {
            self.begun += 1;
            self.server = server;
        }
        if let Some(turn) = self.octets.get_mut(usize::from(self.begun) - 1) {
            *turn = turn.saturating_add(octets.min(usize::from(u16::MAX)) as u16);
        }
    }

    /// Whether the first turns, of which the client had the first, were of these lengths.
    pub(crate) fn are(&self, wanted: &[Ranges]) -> Outcome {
        let begun = usize::from(self.begun);
        // The side that has the turn now had the first one, if their number is odd.
        if begun > 0 && self.server == (begun % 2 == 1) {
            return Outcome::No;
        }
        for (place, (ranges, octets)) in wanted.iter().zip(self.octets).enumerate() {
            if place + 1 >= begun {
                let most = ranges.iter().map(|(_, most)| *most).max().unwrap_or(0);
                return if u64::from(octets) <= most { Outcome::More } else { Outcome::No };
            }
            if !within(ranges, u64::from(octets)) {
                return Outcome::No;
            }
        }
        Outcome::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(sent: &[(Sender, usize)]) -> Outcome {
        let mut turns = Turns::default();
        for (from, octets) in sent {
            turns.count(*from, *octets);
        }
        turns.are(&[vec![(48, 48)], vec![(80, 80)], vec![(191, 191)]])
    }

    #[test]
    fn turns_are_told_however_they_are_cut() {
        use Sender::{Client, Server};
        assert_eq!(turns(&[]), Outcome::More);
        assert_eq!(turns(&[(Client, 20), (Client, 28)]), Outcome::More);
        assert_eq!(turns(&[(Client, 49)]), Outcome::No);
        assert_eq!(turns(&[(Client, 47), (Server, 80)]), Outcome::No);
        assert_eq!(turns(&[(Server, 48)]), Outcome::No);
        assert_eq!(turns(&[(Client, 48), (Server, 80), (Client, 191)]), Outcome::More);
        assert_eq!(turns(&[(Client, 48), (Server, 1), (Server, 79), (Client, 191), (Server, 7)]), Outcome::Yes);
        assert_eq!(turns(&[(Client, 48), (Server, 80), (Client, 192), (Server, 7)]), Outcome::No);
    }
}
