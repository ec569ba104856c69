//! A file of a spool after whatever happened to it on its disk.

use control::export::spool::record::{self, HEAD, Head, MAX_PAYLOAD, Step};
use control::export::spool::{Contents, inspect};

/// Goes through it step by step, and all at once.
pub fn run(data: &[u8]) {
    let mut at = 0;
    loop {
        match record::step(&data[at..]) {
            Step::Garbage(count) => {
                assert!(count > 0 && at + count <= data.len());
                at += count;
            }
            Step::Record(head) => {
                let octets = whole(data, at, &head);
                let mut again = Vec::new();
                assert_eq!(record::write(&head.payload(&octets[HEAD..]), head.ordinal, &mut again), head);
                assert_eq!(again, octets, "what is read is what was written");
                at += octets.len();
            }
            Step::Spoiled(head) => at += whole(data, at, &head).len(),
            Step::Short => break,
        }
    }
    let Contents { kept, lost, end } = inspect(data, 0).expect("memory can be read");
    assert!(kept + lost <= (data.len() / HEAD) as u64, "no more was there than had room");
    assert!(end == kept + lost, "each is one or the other");
    // As a file that another follows, of which it is known how many records it had.
    let of_two = inspect(&data[..data.len() / 2], 0).expect("memory can be read");
    assert!(of_two.kept <= kept, "half of it has no more");
}

fn whole<'a>(data: &'a [u8], at: usize, head: &Head) -> &'a [u8] {
    assert!(head.length <= MAX_PAYLOAD);
    &data[at..at + HEAD + head.length]
}
