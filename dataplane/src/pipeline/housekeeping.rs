//! What happens between packets: expiry, commands, dumps, the end.

use std::sync::Arc;

use arrayvec::ArrayVec;
use crossbeam::channel::{Sender, TrySendError};

use super::{BURST, Pipeline};
use crate::access::Leavers;
use crate::command::{Command, Retired, SessionView};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::event::CloseReason;
use crate::flow::{Identification, Slot, State};
use crate::time::Nanos;
use crate::wire::protocol;

/// Entries looked at for expiry in one turn at most, besides a burst's worth after each burst: some 15 µs, where the record
/// of each comes from memory. While nothing comes there are millions of turns a second.
const EXPIRE_PER_TURN: usize = 2 * BURST;
/// Places of the table gone through for expiry at a time at most, after a burst or in a turn: some microseconds.
pub(super) const PLACES: usize = 8_192;
/// Places of the table looked at for a dump in one turn at most: three lines of memory each, and a message, some 40 µs.
const DUMP_PER_TURN: usize = 256;

/// Dumps under way or waiting at most: as many as there are management clients, and as many that are gone and not yet
/// noticed to be. One more would answer with nothing, as if there were no session.
pub(super) const DUMPS: usize = 32;

/// Walks over the table at a time at most that end sessions of users who signed off.
pub(super) const FAREWELLS: usize = 2;

/// Such a walk.
#[derive(Debug)]
pub(super) struct Farewell {
    leavers: Arc<Leavers>,
    /// The place to go on from.
    next: usize,
}

/// A dump under way.
#[derive(Debug)]
pub(super) struct Dump {
    to: Sender<SessionView>,
    /// The place to go on from.
    next: usize,
}

/// Whether events may be lost at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Rather wait.
    Needed,
    /// Rather end.
    Regardless,
}

/// Events that the end of one session can make: its begin, its application, its end.
const EVENTS: usize = 3;

impl Pipeline {
    /// Housekeeping: expiry, what is due to be told of attacks and denied packets, and open dumps, a bounded piece of it.
    /// Call it every few bursts, and when idle.
    pub fn turn(&mut self, now: Nanos) {
        self.table.advance(now);
        self.expire(now, EXPIRE_PER_TURN, PLACES);
        self.tell(now);
        self.router.turn(now, &self.counters);
        self.turn_access(now);
        self.turn_fragments(now);
        self.events.publish();
        self.retire_databases();
        self.counters.set(Counter::AppidSlots, self.inspector.in_use().0 as u64);
        self.go_on_ending(now);
        self.go_on_dumping();
        self.go_on_with_neighbours();
    }

    /// Carries out a command from control. Of dumps one is under way at a time and a few wait; one too many ends at once.
    pub fn command(&mut self, now: Nanos, command: Command) {
        match command {
            Command::Policy { policy, database, retired } => {
                let old = std::mem::replace(&mut self.policy, policy);
                // Where control waits no more, nobody else holds it and it is dropped here.
                drop(retired.try_send(Retired::Policy(old)));
                if let Some(Err(refused)) = database.map(|database| self.inspector.adopt(database)) {
                    drop(retired.try_send(Retired::Database(refused)));
                }
                self.retired = Some(retired);
                self.retire_databases();
            }
            Command::Access { settings, retired } => {
                let old = self.set_access(settings);
                drop(retired.try_send(Retired::Access(old)));
            }
            Command::Block { sources, retired } => {
                let old = std::mem::replace(&mut self.blocked, sources);
                drop(retired.try_send(Retired::Blocked(old)));
            }
            Command::Trace { example, to } => {
                let trace = self.trace_example(now, &example);
                let _ = to.try_send(trace);
            }
            Command::Hold(held) => self.held = held,
            Command::EndSessions(leavers) => drop(self.farewells.try_push(Farewell { leavers, next: 0 })),
            Command::Neighbours(to) => drop(self.neighbour_dumps.try_push((to, 0))),
            Command::Dump(to) => drop(self.dumps.try_push(Dump { to, next: 0 })),
            Command::Stop => while !self.shutdown(now, Room::Regardless) {},
        }
    }

    /// No more packets will come, though no session is over: names those that are open and undecided by what they showed, from
    /// the table's place `first` on. Gives the place to go on from when control has read on; none where all are looked at.
    pub fn name_open(&mut self, now: Nanos, first: usize) -> Option<usize> {
        let mut stopped = None;
        for place in first..self.table.capacity() {
            if self.events.session_room() < EVENTS {
                stopped = Some(place);
                break;
            }
            if let Some(slot) = self.table.open_at(place)
                && let Some(confidence) = self.end_inspection(now, slot, false, Identification::Over)
            {
                self.report_named(now, slot, confidence);
            }
        }
        self.events.publish();
        stopped
    }

    /// Ends every session with [`CloseReason::Shutdown`]; true when all have ended. With [`Room::Needed`] it stops where the
    /// queue of session events would lose one: call it again when control has read on.
    pub fn shutdown(&mut self, now: Nanos, room: Room) -> bool {
        while self.ended < self.table.capacity() {
            if room == Room::Needed && self.events.session_room() < EVENTS {
                self.events.publish();
                return false;
            }
            let slot = self.table.open_at(self.ended);
            if let Some(slot) = slot {
                self.leave(now, slot, CloseReason::Shutdown);
            }
            self.ended += 1;
        }
        let told = self.tell_rest(now, room == Room::Regardless);
        self.events.publish();
        told
    }

    /// Looks at up to `count` entries whose time may have come, among at most `places` places.
    pub(super) fn expire(&mut self, now: Nanos, count: usize, places: usize) {
        if let Some(nat) = &mut self.nat {
            nat.expire(now, count);
        }
        let mut left = count;
        while left > 0 {
            let mut batch: ArrayVec<Slot, BURST> = ArrayVec::new();
            let most = left.min(BURST);
            self.table.due(places, |slot| batch.len() < most && batch.try_push(slot).is_ok());
            for slot in &batch {
                self.table.prefetch_removal(*slot);
            }
            for slot in &batch {
                let patience = self.patience(self.table.record(*slot));
                if self.table.is_silent(*slot, patience) {
                    self.close(now, *slot, CloseReason::Timeout);
                    self.untie(now, *slot);
                    self.table.remove(*slot);
                } else {
                    self.table.schedule(*slot, patience);
                }
            }
            if batch.len() < most {
                break;
            }
            left -= batch.len();
        }
        self.count_table();
    }

    /// Gives databases back that no flow reads by any more.
    fn retire_databases(&mut self) {
        let Some(retired) = &self.retired else { return };
        while let Some(database) = self.inspector.take_unused() {
            if let Err(TrySendError::Full(Retired::Database(database))) = retired.try_send(Retired::Database(database))
            {
                self.inspector.put_back(database);
                return;
            }
        }
    }

    /// Ends sessions of users who signed off. Their entries stay, so that what still comes is judged by the rules for whoever
    /// is there then, and not taken for an answer.
    fn go_on_ending(&mut self, now: Nanos) {
        let Some(farewell) = self.farewells.first() else { return };
        let (leavers, mut next) = (Arc::clone(&farewell.leavers), farewell.next);
        let end = (next + DUMP_PER_TURN).min(self.table.capacity());
        // What ends is to be recorded, if control reads on.
        while next < end && self.events.session_room() >= EVENTS {
            if let Some(slot) = self.table.open_at(next) {
                let (key, record) = (self.table.key(slot), self.table.record(slot));
                if leavers.had(key.realm(), key.end(record.client()).address, self.table.start(slot)) {
                    self.counters.add(Counter::SessionsLoggedOut, 1);
                    self.close(now, slot, CloseReason::Logout);
                    self.change_state(slot, State::Denied);
                }
            }
            next += 1;
        }
        if next >= self.table.capacity() {
            self.farewells.remove(0);
        } else if let Some(farewell) = self.farewells.first_mut() {
            farewell.next = next;
        }
    }

    fn go_on_dumping(&mut self) {
        let Some(dump) = self.dumps.first() else { return };
        let mut next = dump.next;
        let end = (next + DUMP_PER_TURN).min(self.table.capacity());
        while next < end {
            if let Some(slot) = self.table.open_at(next) {
                match dump.to.try_send(self.view(slot)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_)) => break,
                    // Nobody listens any more.
                    Err(TrySendError::Disconnected(_)) => next = self.table.capacity(),
                }
            }
            next += 1;
        }
        if next >= self.table.capacity() {
            self.dumps.remove(0);
        } else if let Some(dump) = self.dumps.first_mut() {
            dump.next = next;
        }
    }

    fn go_on_with_neighbours(&mut self) {
        let places = self.router.neighbour_places();
        let Some((to, next)) = self.neighbour_dumps.first_mut() else { return };
        let end = (*next + DUMP_PER_TURN).min(places);
        while *next < end {
            if let Some(view) = self.router.neighbour(*next) {
                match to.try_send(view) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_)) => break,
                    Err(TrySendError::Disconnected(_)) => *next = places,
                }
            }
            *next += 1;
        }
        if *next >= places {
            self.neighbour_dumps.remove(0);
        }
    }

    pub(super) fn view(&self, slot: Slot) -> SessionView {
        let record = self.table.record(slot);
        let (client, server) = self.ports(slot);
        SessionView {
            session: self.table.session(slot),
            tuple: self.table.key(slot).tuple(record.client()),
            translation: self.translation(slot),
            rule: record.rule,
            application: record.application,
            ports: (client.0, server.0),
            start: self.table.start(slot),
            last: self.table.last(slot),
            state: match record.state() {
                State::Picked if record.protocol() != protocol::TCP => State::OneWay.name(),
                state => state.name(),
            },
            to_server: self.table.volume(slot, Direction::ToServer),
            to_client: self.table.volume(slot, Direction::ToClient),
        }
    }
}
