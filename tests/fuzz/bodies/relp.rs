//! RELP: what a log host answers. The first octet says into which pieces the rest is cut, which must not matter.

use control::export::relp::{Fault, Reader};

/// Shows it, whole and in pieces.
pub fn run(data: &[u8]) {
    let Some((size, octets)) = data.split_first() else { return };
    let whole = read(octets, octets.len().max(1));
    let pieces = read(octets, usize::from(*size).max(1));
    // What a fault shows of the octets depends on how many there were by then.
    assert_eq!(whole.0, pieces.0);
    assert_eq!(whole.1.is_some(), pieces.1.is_some());
}

/// The frames, in words, and what ended them.
fn read(octets: &[u8], size: usize) -> (Vec<String>, Option<Fault>) {
    let (mut reader, mut frames) = (Reader::default(), Vec::new());
    for piece in octets.chunks(size) {
        reader.extend(piece);
        loop {
            match reader.frame() {
                Ok(Some(frame)) => frames.push(format!("{frame:?} {:?} {:?}", frame.meaning(), frame.opens())),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault)),
            }
        }
    }
    (frames, None)
}
