//! Protocols: carriers, what identifies them, and what their messages mean.

use super::framing::framing;
use super::position::anchors;
use super::{Checked, Compiler, seconds, suit};
use crate::program::{Anchor, Certainty, Clue, EVIDENCE, Field, MESSAGES, Message, Protocol, Test, Transport};
use crate::source::{ClueSource, MessageSource, ProtocolSource};

/// Names in scope of a protocol.
pub(super) struct Scope<'a> {
    pub(super) anchors: &'a [Anchor],
    messages: &'a [String],
    /// Clues that are evidence for others.
    evidence: &'a [String],
    /// The bit of the first of them.
    first_bit: u32,
}

/// Messages of a side that a clue may look at.
const MOST_MESSAGES: u8 = 8;

impl Compiler {
    pub(super) fn protocol(&mut self, application: u16, source: &ProtocolSource) -> Result<(), (String, String)> {
        let place = |part: &str| format!("protocol {}{}{part}", source.name, if part.is_empty() { "" } else { ": " });
        let seconds = |text: &Option<String>, default| match text {
            Some(text) => seconds(text).map_err(|what| (place(""), what)),
            None => Ok(default),
        };
        let (limit, grace) = (seconds(&source.limit, 600)?, seconds(&source.grace, 30)?);
        let anchors = anchors(&source.anchor).map_err(|what| (place("anchor"), what))?;
        let names: Vec<_> = source.message.iter().map(|message| message.name.clone()).collect();
        if names.len() > MESSAGES {
            return Err((place(""), format!("has {} messages; {MESSAGES} is the most", names.len())));
        }
        if source.carrier.is_empty() {
            return Err((place(""), "has no carrier".into()));
        }
        let mut evidence: Vec<_> = source.identify.iter().filter_map(|clue| clue.shows.clone()).collect();
        evidence.sort();
        evidence.dedup();
        let framings = source
            .carrier
            .iter()
            .map(|carrier| framing(&carrier.framing, carrier.transport))
            .collect::<Checked<Vec<_>>>()
            .map_err(|what| (place("carrier"), what))?;
        for (carrier, framing) in source.carrier.iter().zip(&framings) {
            let scope = Scope { anchors: &anchors, messages: &names, evidence: &evidence, first_bit: self.evidence };
            self.evidence += evidence.len() as u32;
            if self.evidence > EVIDENCE {
                let what = format!("shows: the database has more than {EVIDENCE} clues that are evidence for others");
                return Err((place("identify"), what));
            }
            let over = carrier.transport;
            let mut messages = Vec::new();
            for message in &source.message {
                let place = |what| (place(&format!("message {}", message.name)), what);
                let compiled = scope.message(message).map_err(place)?;
                suit::message(&compiled, &framings).map_err(place)?;
                messages.push(compiled);
            }
            transactions(&messages).map_err(|what| (place(""), what))?;
            let clues = source
                .identify
                .iter()
                .filter(|clue| clue.over.is_none_or(|only| only == over))
                .map(|clue| scope.clue(clue))
                .collect::<Checked<Vec<_>>>()
                .and_then(|clues| clues.iter().try_for_each(|clue| suit::clue(clue, &framings)).map(|()| clues))
                .map_err(|what| (place("identify"), what))?;
            let base = self.program.applications.get(usize::from(application)).is_some_and(|one| one.base);
            for clue in &clues {
                let what = match () {
                    () if over == Transport::Tcp && (clue.times > 1 || clue.yields > 0) => {
                        "'times' and 'yields' count datagrams: say over = \"udp\""
                    }
                    () if clue.yields > 0 && !base => "'yields' is for applications that are a base",
                    () => continue,
                };
                return Err((place("identify"), what.into()));
            }
            if clues.iter().all(|clue| clue.shows != 0) {
                return Err((place("identify"), format!("nothing identifies it over {over:?}")));
            }
            let suffix = if over == Transport::Tcp { "tcp" } else { "udp" };
            self.program.protocols.push(Protocol {
                application,
                name: format!("{}/{suffix}", source.name),
                transport: over,
                server_ports: carrier.server_ports.clone(),
                framing: framing.clone(),
                session: carrier.session,
                several_users: source.several_users,
                limit,
                grace,
                anchors: anchors.clone(),
                clues,
                messages,
            });
        }
        Ok(())
    }
}

/// An answer finds its question by what both have; one of them alone would never match. What comes after an answer needs none.
fn transactions(messages: &[Message]) -> Checked<()> {
    for message in messages {
        for (place, question) in messages.iter().enumerate() {
            let answered = message.answers & 1 << place != 0;
            let follows = message.transaction.is_empty() && question.answers != 0;
            if answered && !follows && message.transaction.len() != question.transaction.len() {
                return Err(format!("message {}: 'transaction' is not that of {}", message.name, question.name));
            }
        }
    }
    Ok(())
}

impl<'a> Scope<'a> {
    /// Of what stands before there are messages: anchors only.
    pub(super) fn of_anchors(anchors: &'a [Anchor]) -> Self {
        Self { anchors, messages: &[], evidence: &[], first_bit: 0 }
    }

    fn clue(&self, source: &ClueSource) -> Checked<Clue> {
        let tests = self.tests(&source.when)?;
        let also = source.also.iter().map(|tests| self.tests(tests)).collect::<Checked<Vec<_>>>()?;
        // A port is a hint: alone it would name whatever runs there.
        let hint = |test: &Test| matches!(test, Test::Port(_) | Test::Size(_) | Test::Modulo(..));
        if std::iter::once(&tests).chain(&also).any(|tests| tests.iter().all(hint)) && source.needs.is_empty() {
            return Err("a port or a length alone identifies nothing".into());
        }
        let least = 1 + also.len() as u8;
        let messages = source.messages.unwrap_or(least);
        if also.len() >= usize::from(MOST_MESSAGES) || !(least..=MOST_MESSAGES).contains(&messages) {
            return Err(format!("'messages' is at least one for 'when' and each of 'also', at most {MOST_MESSAGES}"));
        }
        if !source.between.is_empty() && messages == least {
            return Err("'between' needs 'messages', above what 'when' and 'also' take".into());
        }
        let (times, yields) = (source.times.unwrap_or(1), source.yields.unwrap_or(0));
        if !(1..=MOST_MESSAGES).contains(&times) || yields > MOST_MESSAGES {
            return Err(format!("'times' is 1 to {MOST_MESSAGES}, 'yields' at most {MOST_MESSAGES}"));
        }
        if times > 1 && (source.shows.is_some() || source.confidence == Certainty::Certain) {
            return Err("'times' counts what alone proves little: it names as likely, and shows nothing".into());
        }
        if source.ends && times == 1 {
            return Err("'ends' needs 'times' above 1".into());
        }
        let mut needs = 0;
        for name in &source.needs {
            needs |= self.evidence_bit(name).ok_or_else(|| format!("needs {name:?}, which no clue of it shows"))?;
        }
        let shows = source.shows.as_ref().and_then(|name| self.evidence_bit(name)).unwrap_or(0);
        Ok(Clue {
            from: source.from,
            confidence: source.confidence,
            tests,
            also,
            between: self.tests(&source.between)?,
            messages,
            needs,
            shows,
            times,
            ends: source.ends,
            yields,
        })
    }

    fn evidence_bit(&self, name: &str) -> Option<u64> {
        let place = self.evidence.iter().position(|one| one == name)?;
        1u64.checked_shl(self.first_bit + place as u32)
    }

    fn message(&self, source: &MessageSource) -> Checked<Message> {
        let mut answers = 0;
        for name in &source.answers {
            let known = self.messages.iter().position(|one| one == name);
            answers |= 1 << known.ok_or_else(|| format!("answers {name:?}, which is no message of this protocol"))?;
        }
        if source.account_of_flow && source.account.is_some() {
            return Err("has an account of its own and that of its flow; one of them".into());
        }
        let accounts = source.account.as_ref().map_or(&[][..], |fields| &fields.0);
        if source.account.is_some() && accounts.is_empty() {
            return Err("'account' is an empty list".into());
        }
        let optional = accounts.last().is_some_and(|field| field.optional);
        if accounts.iter().rev().skip(1).any(|field| field.optional) {
            return Err("of several accounts only the last can be optional".into());
        }
        Ok(Message {
            name: source.name.clone(),
            from: source.from,
            tests: self.tests(&source.when)?,
            answers,
            accounts: accounts.iter().map(|field| self.field(field)).collect::<Checked<_>>()?,
            account_of_flow: source.account_of_flow,
            account_optional: optional,
            means: source.means,
            from_start: source.from_start,
            confidence: source.confidence,
            transaction: self.transaction(source)?,
            closes: source.becomes.is_some(),
        })
    }

    fn transaction(&self, source: &MessageSource) -> Checked<Vec<Field>> {
        let fields = source.transaction.as_ref().map_or(&[][..], |fields| &fields.0);
        if fields.iter().any(|field| field.optional || field.base64) {
            return Err("a transaction's fields are plain, and none is optional".into());
        }
        fields.iter().map(|field| self.field(field)).collect()
    }
}
