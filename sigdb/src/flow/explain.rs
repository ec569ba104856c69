//! What each rule makes of a message, condition by condition: the slow way, for people.

use super::identify::fits;
use super::{FlowState, side};
use crate::database::Database;
use crate::explain::{Held, Note, Tested};
use crate::framing::{Context, Framed, Looks, Next, frame};
use crate::matcher::{FieldText, Outcome, View};
use crate::program::{Clue, Message, Protocol, Sender, Test, describe};
use crate::scratch::Scratch;
use crate::sighting::AppId;

impl FlowState {
    /// What the rules of an application make of the message at the start of `data`: its clues while the flow is undecided,
    /// then its messages.
    pub(crate) fn explain(
        &self,
        database: &Database,
        scratch: &mut Scratch,
        application: AppId,
        from: Sender,
        data: &[u8],
    ) -> Vec<Note> {
        if self.deaf[side(from)] || self.skipping[side(from)].is_some() {
            return Vec::new();
        }
        let mut memory = self.memory;
        let context = Context { server_port: self.start.server_port, turns: &self.turns };
        let mut notes = Vec::new();
        for (index, protocol) in database.program().protocols.iter().enumerate() {
            let other = self.protocol.is_some_and(|decided| usize::from(decided) != index);
            if other || protocol.application + 1 != application.0 || protocol.transport != self.start.transport {
                continue;
            }
            let looks = Looks::by(&protocol.framing, protocol.transport, database.names(), data, scratch, &mut memory);
            let framed = frame(protocol, data, &looks, context);
            let mut note = |rule: String, held: Held, tests: Vec<Tested>| {
                notes.push(Note { piece: 0, from, rule: format!("{}, {rule}", protocol.name), held, tests });
            };
            let view = match &framed {
                Framed::Message(frame) if self.protocol.is_none() || frame.next != Next::Later => &frame.view,
                Framed::Message(_) | Framed::More => {
                    note("framing".into(), Held::More, Vec::new());
                    continue;
                }
                Framed::No => {
                    note("framing".into(), Held::No, Vec::new());
                    continue;
                }
            };
            // The message that decides is read for its meaning as well.
            let mut decided = self.protocol.is_some();
            if !decided {
                for (number, clue) in protocol.clues.iter().enumerate().filter(|(_, clue)| may_send(clue.from, from)) {
                    let mut tests: Vec<_> = clue.tests.iter().map(|test| tested(view, protocol, test)).collect();
                    if clue.needs & !self.evidence != 0 {
                        tests.push(Tested {
                            test: "needs what another clue shows".into(),
                            held: Held::No,
                            found: None,
                        });
                    }
                    let rest = self.of_clue(database, protocol, clue, data, &looks);
                    if !clue.also.is_empty() || clue.messages > 1 {
                        let test = format!("within {} messages, with 'also' and 'between'", clue.messages);
                        tests.push(Tested { test, held: rest, found: None });
                    }
                    if clue.times > 1 && rest == Held::Yes {
                        let all = format!("{} datagrams fit, from the first on", clue.times);
                        let held = if u32::from(self.misses) + 1 >= clue.times.into() { Held::Yes } else { Held::More };
                        tests.push(Tested { test: all, held, found: None });
                    }
                    decided |= rest == Held::Yes && clue.shows == 0 && clue.times == 1;
                    note(format!("identify {}", number + 1), rest, tests);
                }
            }
            if decided {
                for message in protocol.messages.iter().filter(|message| may_send(message.from, from)) {
                    let tests = self.of_message(view, protocol, message);
                    let held = all(&tests);
                    note(format!("message {:?}", message.name), held, tests);
                    if held == Held::Yes {
                        break;
                    }
                }
            }
        }
        notes
    }

    fn of_clue(&self, database: &Database, protocol: &Protocol, clue: &Clue, data: &[u8], looks: &Looks<'_>) -> Held {
        if clue.needs & !self.evidence != 0 {
            return Held::No;
        }
        let context = Context { server_port: self.start.server_port, turns: &self.turns };
        held(fits(context, protocol, clue, data, looks, database.names(), &mut None))
    }

    fn of_message(&self, view: &View<'_>, protocol: &Protocol, message: &Message) -> Vec<Tested> {
        let mut tests: Vec<_> = message.tests.iter().map(|test| tested(view, protocol, test)).collect();
        let mut also = |test: &str, held| tests.push(Tested { test: test.into(), held, found: None });
        if message.answers != 0 && !self.session.awaits(message.answers) {
            also("answers a message that was seen", Held::No);
        }
        if !message.transaction.is_empty() && view.key(&message.transaction).is_none() {
            also("has its transaction's fields", Held::No);
        }
        if !message.accounts.is_empty() && !message.account_optional {
            let account = message.accounts.iter().map(|field| view.field(field)).find_map(|text| match text {
                FieldText::Text(text) => Some((format!("account {text}"), Held::Yes)),
                FieldText::More => Some(("account".into(), Held::More)),
                FieldText::Absent => None,
            });
            let (test, held) = account.unwrap_or_else(|| ("account can be read".into(), Held::No));
            also(&test, held);
        }
        tests
    }
}

fn may_send(rule: Sender, from: Sender) -> bool {
    rule == Sender::Either || rule == from
}

fn tested(view: &View<'_>, protocol: &Protocol, test: &Test) -> Tested {
    let found = view.stands(test).map(|(place, octets)| (place, octets.to_vec()));
    Tested { test: describe(test, &protocol.anchors), held: held(view.holds(test)), found }
}

fn all(tests: &[Tested]) -> Held {
    let any = |held| tests.iter().any(|test| test.held == held);
    if any(Held::No) {
        Held::No
    } else if any(Held::More) {
        Held::More
    } else {
        Held::Yes
    }
}

fn held(outcome: Outcome) -> Held {
    match outcome {
        Outcome::Yes => Held::Yes,
        Outcome::No => Held::No,
        Outcome::More => Held::More,
    }
}
