//! Threads that do what others may no longer: each does one thing after the other, for who waits for it.

use std::io;
use std::thread;

use crossbeam::channel::{Sender, bounded, unbounded};

use super::reach::Reach;
use super::{fence, rights};
use crate::config::Compiled;

/// The two of them.
#[derive(Debug)]
pub(super) struct Hands {
    pub(super) outside: Hand,
    pub(super) lookup: Hand,
}

/// One thread.
#[derive(Debug)]
pub(super) struct Hand(Sender<Task>);

type Task = Box<dyn FnOnce() + Send>;

impl Hands {
    /// Starts both, and confines the second; what they keep is derived from the configuration.
    pub(super) fn start(compiled: &Compiled, reach: &Reach) -> io::Result<Self> {
        let hands = Self { outside: Hand::start("outside")?, lookup: Hand::start("lookup")? };
        let (opening, looking) = (rights::of_ports(compiled), rights::of_lookups(compiled));
        hands.outside.call(move || rights::give_away_for_itself(opening))?;
        // Whose namespace is another process's: Landlock lets nobody look into one that it does not hold as well.
        let reach = (!reach.names_processes).then(|| reach.clone());
        hands.lookup.call(move || {
            rights::give_away(looking)?;
            reach.map_or(Ok(()), |reach| fence::lookups(&reach))
        })?;
        Ok(hands)
    }
}

impl Hand {
    fn start(name: &str) -> io::Result<Self> {
        let (tasks, work) = unbounded::<Task>();
        let body = move || work.into_iter().for_each(|task| task());
        thread::Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(Self(tasks))
    }

    /// Has something done and waits for it.
    pub(super) fn call<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, outcome) = bounded(1);
        let task = Box::new(move || drop(done.send(work())));
        // It ends with the process, or by a fault of the program that ends what waits as well.
        self.0.send(task).expect("the thread runs as long as the process");
        outcome.recv().expect("the thread does not end within a task")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_does_what_it_is_asked_in_its_own_thread() {
        let hand = Hand::start("hand").unwrap();
        let name = hand.call(|| thread::current().name().map(str::to_owned));
        assert_eq!(name.as_deref(), Some("hand"));
        let others: Vec<u32> = thread::scope(|scope| {
            let asked: Vec<_> =
                (0..8).map(|n| (n, &hand)).map(|(n, hand)| scope.spawn(move || hand.call(move || n))).collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(others, (0..8).collect::<Vec<_>>());
    }
}
