//! Longest prefix match: a trie with a first stride of 16 bits and further ones of 8, prefixes expanded into its leaves.
//!
//! An IPv4 address takes at most three reads, an IPv6 one as many as its longest prefix asks for (a /64 seven). It is made
//! once, from all prefixes, and then only read.

/// What an entry says: nothing, a value, or where the next node is.
type Entry = u32;

/// Marks an entry that leads to a node.
const NODE: Entry = 1 << 31;
/// Entries of the root.
const ROOT: usize = 1 << 16;

/// A trie from prefixes to values above 0.
#[derive(Debug)]
pub(super) struct Trie {
    root: Box<[Entry]>,
    nodes: Vec<[Entry; 256]>,
}

/// A prefix: the address's octets, how many of their bits count, and the value (1 to 2³¹ − 1).
pub(super) type Prefix<const N: usize> = ([u8; N], u8, u32);

impl Trie {
    /// Of two equal prefixes the later one counts.
    pub(super) fn new<const N: usize>(mut prefixes: Vec<Prefix<N>>) -> Self {
        // From short to long: whatever is written over is then a leaf, and of a shorter prefix.
        prefixes.sort_by_key(|(_, length, _)| *length);
        let mut trie = Self { root: vec![0; ROOT].into_boxed_slice(), nodes: Vec::new() };
        for (octets, length, value) in prefixes {
            trie.insert(&octets, usize::from(length).min(8 * N), value);
        }
        trie
    }

    /// The value of the longest prefix that an address has; 0 where it has none.
    pub(super) fn find(&self, octets: &[u8]) -> u32 {
        let Some((&[a, b], rest)) = octets.split_first_chunk() else { return 0 };
        let mut entry = self.root.get(usize::from(u16::from_be_bytes([a, b]))).copied().unwrap_or(0);
        for octet in rest {
            if entry & NODE == 0 {
                break;
            }
            entry = self.nodes.get((entry & !NODE) as usize).map_or(0, |node| node[usize::from(*octet)]);
        }
        entry
    }

    /// Octets that it takes.
    pub(super) fn octets(&self) -> usize {
        size_of_val(&*self.root) + size_of_val(&*self.nodes)
    }

    fn insert(&mut self, octets: &[u8], length: usize, value: u32) {
        let first = usize::from(u16::from_be_bytes([octets[0], octets[1]]));
        if length <= 16 {
            let span = 1 << (16 - length);
            let first = first & !(span - 1);
            self.root[first..first + span].fill(value);
            return;
        }
        let mut node = Self::child(&mut self.root[first], &mut self.nodes);
        let mut at = 2;
        while length > 8 * (at + 1) {
            // The entry is copied out and back: a child may move the nodes.
            let mut entry = self.nodes[node][usize::from(octets[at])];
            let child = Self::child(&mut entry, &mut self.nodes);
            self.nodes[node][usize::from(octets[at])] = entry;
            (node, at) = (child, at + 1);
        }
        let span = 1 << (8 * (at + 1) - length);
        let first = usize::from(octets[at]) & !(span - 1);
        self.nodes[node][first..first + span].fill(value);
    }

    /// The node that an entry leads to, made where it was a leaf.
    fn child(entry: &mut Entry, nodes: &mut Vec<[Entry; 256]>) -> usize {
        if *entry & NODE == 0 {
            nodes.push([*entry; 256]);
            *entry = NODE | (nodes.len() - 1) as Entry;
        }
        (*entry & !NODE) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The slow twin: every prefix looked at.
    fn slow<const N: usize>(prefixes: &[Prefix<N>], octets: &[u8; N]) -> u32 {
        let matches = |(prefix, length, _): &&Prefix<N>| {
            (0..usize::from(*length)).all(|bit| (prefix[bit / 8] ^ octets[bit / 8]) >> (7 - bit % 8) & 1 == 0)
        };
        // Of equally long ones the last.
        prefixes.iter().filter(matches).max_by_key(|(_, length, _)| *length).map_or(0, |(_, _, value)| *value)
    }

    /// Prefixes that lie close together, so that many are within others.
    fn octets<const N: usize>() -> impl Strategy<Value = [u8; N]> {
        prop::collection::vec(prop_oneof![4 => 0..3_u8, 1 => any::<u8>()], N).prop_map(|octets| {
            let mut array = [0; N];
            array.copy_from_slice(&octets);
            array
        })
    }

    fn prefixes<const N: usize>() -> impl Strategy<Value = Vec<Prefix<N>>> {
        prop::collection::vec((octets(), 0..=8 * N as u8, 1..1000_u32), 0..40)
    }

    proptest! {
        #[test]
        fn agrees_with_looking_at_every_prefix_of_ipv4(
            prefixes in prefixes::<4>(),
            addresses in prop::collection::vec(octets(), 1..200),
        ) {
            let trie = Trie::new(prefixes.clone());
            for address in addresses.iter().chain(prefixes.iter().map(|(octets, ..)| octets)) {
                prop_assert_eq!(trie.find(address), slow(&prefixes, address));
            }
        }

        #[test]
        fn agrees_with_looking_at_every_prefix_of_ipv6(
            prefixes in prefixes::<16>(),
            addresses in prop::collection::vec(octets(), 1..200),
        ) {
            let trie = Trie::new(prefixes.clone());
            for address in addresses.iter().chain(prefixes.iter().map(|(octets, ..)| octets)) {
                prop_assert_eq!(trie.find(address), slow(&prefixes, address));
            }
        }
    }

    #[test]
    fn what_is_too_short_is_in_no_prefix() {
        let trie = Trie::new(vec![([0; 4], 0, 7)]);
        assert_eq!((trie.find(&[]), trie.find(&[1]), trie.find(&[1, 2, 3, 4])), (0, 0, 7));
    }
}
