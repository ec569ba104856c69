//! Which flow the next packet is of: uniform, or by Zipf's law as real traffic is nearer to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::pktgen::dice::Dice;

/// A distribution of packets over flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Draw {
    /// Every flow as often as any other: no cache helps but by its size.
    #[default]
    Uniform,
    /// The flow of rank r with a weight of 1 / r^s.
    Zipf(f64),
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => write!(f, "uniform"),
            Self::Zipf(s) => write!(f, "zipf {s}"),
        }
    }
}

impl FromStr for Draw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':').unwrap_or((text, "1")) {
            ("uniform", "1") => Ok(Self::Uniform),
            ("zipf", s) => match s.parse() {
                Ok(s) if (0.1..=3.0).contains(&s) => Ok(Self::Zipf(s)),
                _ => Err(format!("zipf:{s}: an exponent from 0.1 to 3")),
            },
            _ => Err(format!("unknown distribution {text:?}: uniform, zipf or zipf:EXPONENT")),
        }
    }
}

/// An endless seeded sequence of flow numbers.
#[derive(Debug)]
pub enum Draws {
    /// Computed as it goes.
    Uniform {
        /// How many flows there are.
        flows: u32,
        /// Of the linear congruential generator.
        state: u64,
    },
    /// Drawn before, and repeated: inverting the distribution costs more than a packet may.
    Listed {
        /// A power of two of them.
        list: Box<[u32]>,
        /// The next.
        next: usize,
    },
}

impl Draws {
    /// For flows 0 to `flows` − 1, at least one.
    pub fn new(flows: u32, draw: Draw, seed: u64) -> Self {
        match draw {
            Draw::Uniform => Self::Uniform { flows, state: Dice::new(seed).word() },
            Draw::Zipf(exponent) => Self::Listed { list: zipf(flows, exponent, seed), next: 0 },
        }
    }

    /// The next flow's number.
    #[inline(always)]
    pub fn draw(&mut self) -> u32 {
        match self {
            Self::Uniform { flows, state } => {
                // Knuth's MMIX; its upper half is good enough for this, and nothing is cheaper.
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (((*state >> 32) * u64::from(*flows)) >> 32) as u32
            }
            Self::Listed { list, next } => {
                *next = (*next + 1) & (list.len() - 1);
                list.get(*next).copied().unwrap_or_default()
            }
        }
    }
}

/// Draws by the inverse of the cumulative weights. Ranks are dealt to flows at random, so that popular flows are not
/// neighbours in a table that was filled in order.
fn zipf(flows: u32, exponent: f64, seed: u64) -> Box<[u32]> {
    let mut sum = 0.0;
    let weights = (1..=flows).map(|rank| {
        sum += f64::from(rank).powf(-exponent);
        sum
    });
    let weights: Vec<f64> = weights.collect();
    let mut dice = Dice::new(seed);
    let mut dealt: Vec<u32> = (0..flows).collect();
    for place in (1..flows).rev() {
        dealt.swap(place as usize, dice.between(0, place + 1) as usize);
    }
    let draw = |_| {
        let point = dice.word() as f64 / u64::MAX as f64 * sum;
        let rank = weights.partition_point(|&weight| weight < point);
        dealt.get(rank).or(dealt.last()).copied().unwrap_or_default()
    };
    (0..LISTED).map(draw).collect()
}

/// Four MiB of numbers, read one after the other: some more than most caches of a core hold.
const LISTED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(draw: Draw) -> Vec<u32> {
        let mut draws = Draws::new(100, draw, 1);
        let mut counts = vec![0; 100];
        for _ in 0..1_000_000 {
            counts[draws.draw() as usize] += 1;
        }
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    #[test]
    fn uniform_is_uniform() {
        let counts = counts(Draw::Uniform);
        assert!(counts.iter().all(|count| (9_000..11_000).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_second_of_zipf_comes_half_as_often_as_the_first() {
        let counts = counts(Draw::Zipf(1.0));
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        // 1 / H(100): the sum of the first hundred reciprocals is 5.187.
        assert!((1.9..2.1).contains(&ratio) && (190_000..196_000).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn names_are_read_back() {
        assert_eq!("zipf:1.2".parse(), Ok(Draw::Zipf(1.2)));
        assert_eq!("uniform".parse(), Ok(Draw::Uniform));
        assert!("zipf:9".parse::<Draw>().is_err() && "normal".parse::<Draw>().is_err());
    }
}
