//! What goes to disk of a host's records, and what comes back.

use std::time::Instant;

use super::{Backlog, LOOK, at};
use crate::export::Payload;
use crate::export::depot::Depot;
use crate::export::owed::{Matter, Origin, Owed};
use crate::export::spool::{News, SpoolLoss, SpoolSize};
use crate::export::writer::Writer;
use crate::record::Class;

/// Octets of a batch for the disk, and a little more.
const BATCH: usize = 256 * 1024;

impl Backlog {
    /// What does not fit in memory, or is not taken, goes there.
    pub(in super::super) fn keep_in(&mut self, depot: Depot) {
        self.depot = Some(depot);
    }

    /// Whether what waits is so many per cent of what may, or more.
    pub(in super::super) fn is_filled(&self, percent: u64) -> bool {
        self.unsent.iter().sum::<u64>() * 100 >= self.capacity as u64 * percent
    }

    /// How much is on disk; none where nothing is kept there.
    pub(in super::super) fn spool_size(&self) -> Option<SpoolSize> {
        self.depot.as_ref().map(Depot::size)
    }

    /// Records of a class that are in memory only, and about their lowest and highest number.
    pub(in super::super) fn in_memory(&self, class: Class) -> (u64, (u64, u64)) {
        let is_of = |owed: &&Owed| owed.counts() && owed.matter.class() == class;
        let leaving = self.depot.iter().flat_map(|depot| depot.leaving().take(LOOK)).find(is_of);
        let out = self.window.iter().take(LOOK).find(is_of);
        let taken = self.taken.iter().take(LOOK).find(is_of);
        let oldest = self.queue.fronts().filter(is_of).chain(leaving).chain(out).chain(taken);
        let newest = self.newest[at(class)];
        let lowest = oldest.map(|owed| owed.matter.name().1).fold(newest, u64::min);
        (self.counts[at(class)].queued, (lowest, newest))
    }

    /// Moves what waits to disk, as far as that takes it now.
    pub(in super::super) fn put_away(&mut self, writer: &mut Writer) {
        while let Some(depot) = &mut self.depot
            && !depot.is_busy()
        {
            let (mut batch, mut payloads, mut octets, mut kept) = (Vec::new(), Vec::new(), 0, Vec::new());
            while octets < BATCH
                && let Some(owed) = self.queue.pop()
            {
                if owed.on_disk().is_some() {
                    kept.push(owed);
                    continue;
                }
                let payload = pack(writer, &owed);
                octets += payload.octets.len();
                payloads.push(payload);
                batch.push(owed);
            }
            self.queue.put_back(kept.into_iter());
            if batch.is_empty() {
                return;
            }
            if let Err(batch) = depot.write(batch, payloads) {
                return self.queue.put_back(batch.into_iter());
            }
        }
    }

    /// Copies what is out, or about to be, to disk, lest it be lost with this process before the host takes it: it stays
    /// where it is, and is sent once more from disk.
    pub(in super::super) fn copy_window(&mut self, writer: &mut Writer) {
        let Some(depot) = &mut self.depot else { return };
        let out = self.window.iter().chain(&self.taken).filter(|owed| owed.counts());
        let batch: Vec<Owed> = out.map(|owed| Owed { acknowledged: true, ..owed.clone() }).collect();
        let payloads: Vec<Payload> = batch.iter().map(|owed| pack(writer, owed)).collect();
        if !batch.is_empty() {
            // Where it is refused, it is at least still out.
            let _ = depot.write(batch, payloads);
        }
    }

    /// Takes in what the disk has to tell, and asks for more where records `flow`; `say`s what the operator should know.
    pub(in super::super) fn hear(&mut self, flow: bool, mut say: impl FnMut(String)) {
        let Some(depot) = &mut self.depot else { return };
        while let Some(news) = depot.news() {
            match news {
                News::Recovered(records) => {
                    for (class, count) in records {
                        self.counts[at(class)].recovered += count;
                        self.counts[at(class)].spooled += count;
                    }
                }
                News::Written { records } => {
                    for (class, count) in records {
                        let counts = &mut self.counts[at(class)];
                        counts.queued = counts.queued.saturating_sub(count);
                        counts.spooled += count;
                        counts.spooled_ever += count;
                    }
                    for owed in depot.written() {
                        if owed.counts() && !owed.sent {
                            self.unsent[at(owed.matter.class())] -= 1;
                            self.left[at(owed.matter.class())] += 1;
                        }
                        if let (Origin::Saying, Matter::Record(record)) = (owed.origin, &owed.matter) {
                            self.losses.said(record);
                        }
                    }
                }
                News::Refused { batch, why } => {
                    let counted = depot.has_written(batch.len());
                    let refused = depot.refused(batch.len());
                    for owed in refused.iter().filter(|owed| counted && owed.counts() && !owed.sent) {
                        self.unsent[at(owed.matter.class())] += 1;
                        self.left[at(owed.matter.class())] -= 1;
                    }
                    self.queue.put_back(refused.into_iter());
                    say(format!("its spool does not take records, they wait in memory: {why}"));
                }
                News::Read(records) => depot.read(records),
                News::Lost(loss) => {
                    let SpoolLoss { class, cause, boot, count, sequences, span } = loss;
                    let counts = &mut self.counts[at(class)];
                    counts.spooled = counts.spooled.saturating_sub(count);
                    counts.drop_by(cause, count);
                    self.losses.add((class, cause, boot), count, sequences, span);
                    say(format!("{count} {} records in its spool are lost: {}", class.text(), cause.text()));
                }
                News::Fault(text) => say(text),
            }
        }
        let spooled = self.counts.iter().any(|counts| counts.spooled > 0) || depot.size().records > 0;
        if flow && spooled {
            depot.want();
        }
    }

    /// No more is read from disk: the process stops.
    pub(in super::super) fn close(&mut self) {
        if let Some(depot) = &mut self.depot {
            depot.close();
        }
    }

    /// Moves all to disk that is still in memory, at the end, and waits for that.
    pub(in super::super) fn put_all_away(&mut self, writer: &mut Writer, until: Instant, mut say: impl FnMut(String)) {
        if self.depot.is_none() {
            return;
        }
        self.broke();
        if let Some(depot) = &mut self.depot {
            depot.forget();
        }
        loop {
            self.put_away(writer);
            let synced = self.depot.as_mut().is_some_and(|depot| depot.sync(until));
            let mut refused = false;
            self.hear(false, |text| {
                refused = true;
                say(text);
            });
            if !synced || refused || self.queue.front().is_none() {
                return;
            }
        }
    }

    /// Whether the next record is one that came back from disk.
    pub(super) fn takes_from_disk(&self) -> bool {
        match &self.depot {
            Some(depot) if depot.front().is_some() && !self.queue.has_again() => {
                self.queue.front().is_none() || depot.has_turn()
            }
            Some(_) | None => false,
        }
    }
}

/// As it is kept on disk.
fn pack(writer: &mut Writer, owed: &Owed) -> Payload {
    let payload = match &owed.matter {
        Matter::Record(record) => writer.payload(record),
        Matter::Payload(payload) => payload.clone(),
    };
    Payload { own: payload.own || owed.origin == Origin::Saying, again: payload.again || owed.acknowledged, ..payload }
}
