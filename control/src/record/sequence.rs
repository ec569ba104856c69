//! From what workers and presence say to numbered records: names in place of numbers, and nothing that the configuration
//! does not want recorded.

use std::sync::Arc;
use std::time::Duration;

use dataplane::counters::Counter;
use dataplane::endpoint::{Mac, Tuple};
use dataplane::event::{SessionChange, SessionEvent, SessionId};
use dataplane::policy::RuleId;
use dataplane::time::Nanos;
use sigdb::{AppId, Generation};

use super::access::{AccessRecord, interface_text};
use super::audit::Occurrence;
use super::{
    AttackRecord, Body, BootId, Class, FlowContext, ImRecord, LossPlace, LossReason, LossRecord, Name, Record,
    SessionAction, SessionRecord, UserNote,
};
use crate::config::{Compiled, ImLogging, Names};
use crate::presence::access::{AccessAction, AccessTable, AccessTransition, AccessUser, Forgery};
use crate::presence::im::Transition;

/// Makes the records of one run of the process, in their order.
#[derive(Debug)]
pub struct Recorder {
    boot: BootId,
    /// The number of the last record made.
    last: u64,
    names: Names,
    im: ImLogging,
    records_access: bool,
    records_call_status: bool,
    /// Versions of the databases, by generation.
    signatures: Vec<Name>,
}

impl Recorder {
    /// For a run that begins with this configuration.
    pub fn new(boot: BootId, configuration: &Compiled) -> Self {
        let recorder = Self {
            boot,
            last: 0,
            names: configuration.names.clone(),
            im: configuration.im.clone(),
            records_access: configuration.access.records_access,
            records_call_status: configuration.access.records_call_status,
            signatures: Vec::new(),
        };
        recorder.with_signatures(configuration)
    }

    /// Goes on with another configuration; the numbers go on too. What workers reported under the old one has to be
    /// recorded before, as its numbers mean other names now.
    pub fn reconfigure(&mut self, configuration: &Compiled) {
        let signatures = std::mem::take(&mut self.signatures);
        let new = Self { last: self.last, signatures, ..Self::new(self.boot, configuration) };
        *self = new.with_signatures(configuration);
    }

    /// The number of the last record made; 0: there is none yet.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Flows that began on a database before are told under its version.
    fn with_signatures(mut self, configuration: &Compiled) -> Self {
        let place = usize::from(configuration.database.generation().0);
        let version = Name::from(configuration.database.version());
        if self.signatures.len() <= place {
            self.signatures.resize(place + 1, Arc::clone(&version));
        }
        if let Some(there) = self.signatures.get_mut(place) {
            *there = version;
        }
        self
    }

    fn version(&self, generation: Generation) -> Name {
        self.signatures.get(usize::from(generation.0)).or(self.signatures.last()).map_or_else(|| "".into(), Arc::clone)
    }

    /// The record of a session event; none of one that is not to be recorded: its rule does not log, or it only names
    /// the application. A session whose creation was recorded has its end recorded too, whatever rule applies then. It names
    /// the user who had the client's address when the session began.
    pub fn session(&mut self, event: &SessionEvent, users: &AccessTable) -> Option<Record> {
        if let SessionChange::Attack { kind, phase, tenths } = event.change {
            let body = AttackRecord {
                flow: self.session_flow(event),
                kind: kind.name(),
                phase,
                recent: event.to_server,
                span: Duration::from_millis(100 * u64::from(tenths)),
                total: event.to_client,
                begin: event.start,
            };
            return Some(self.record(event.header.time, Body::Attack(body)));
        }
        let action = match event.change {
            SessionChange::Create if event.logged => SessionAction::Create,
            SessionChange::Deny if event.logged => {
                SessionAction::Deny { packets: event.to_server.packets, first: event.start }
            }
            SessionChange::Close { reason } => SessionAction::Close {
                reason,
                start: event.start,
                to_server: event.to_server,
                to_client: event.to_client,
            },
            SessionChange::Create
            | SessionChange::Deny
            | SessionChange::Application(_)
            | SessionChange::Attack { .. } => return None,
        };
        let begin = match action {
            SessionAction::Create => event.header.time,
            SessionAction::Close { .. } | SessionAction::Deny { .. } => event.start,
        };
        let flow = FlowContext { user: self.user(event.tuple, begin, users), ..self.session_flow(event) };
        Some(self.record(event.header.time, Body::Session(SessionRecord { flow, action })))
    }

    /// The record of what a messenger's user did; none where sign-ons are not recorded, the rule of the session does not
    /// log, or its profile leaves this out. It names the access user who had the client's address when the session began in
    /// which the messenger's user was seen last.
    pub fn im(&mut self, transition: &Transition, users: &AccessTable) -> Option<Record> {
        let event = &transition.context;
        let application = self.names.application(event.sign_on.application);
        if !event.logged || !self.im.records(event.rule, application, transition.action) {
            return None;
        }
        let written = self.im.accounts.write(application, &transition.account, transition.kept);
        let flow = self.flow(event.session, event.tuple, event.rule, event.sign_on.application, event.ports);
        let flow = FlowContext { user: self.user(event.tuple, event.start, users), ..flow };
        let body = Body::Im(ImRecord {
            flow,
            action: transition.action,
            reason: transition.reason,
            account: written.account,
            pseudonym_key: written.key,
            confidence: event.sign_on.confidence,
            online: transition.online,
            signatures: self.version(event.sign_on.database),
        });
        Some(self.record(transition.time, body))
    }

    /// The record of what an access user did; none where its class is not recorded.
    pub fn access(&mut self, transition: &AccessTransition) -> Option<Record> {
        let is_result = matches!(transition.action, AccessAction::Result { .. });
        if !(if is_result { self.records_call_status } else { self.records_access }) {
            return None;
        }
        let port = transition.user.ports.0;
        let is_known = port != u16::MAX;
        let body = Body::Access(AccessRecord {
            action: transition.action,
            reason: transition.reason,
            user: Arc::clone(&transition.user),
            online: transition.online,
            port: is_known.then(|| Arc::clone(self.names.port(port))),
            zone: is_known.then(|| Arc::clone(self.names.zone_of_port(port))),
        });
        Some(self.record(transition.time, body))
    }

    /// The record of forged messages of RADIUS.
    pub fn forgery(&mut self, forgery: &Forgery) -> Record {
        let ((client, server), (svlan, cvlan)) = (forgery.ends, forgery.vlans);
        let tuple = Tuple { client, server, protocol: 17, svlan, cvlan };
        let flow = self.flow(SessionId(0), tuple, RuleId::IMPLICIT, AppId::UNKNOWN, forgery.ports);
        let body = AttackRecord {
            flow,
            kind: Counter::RadiusForged.name(),
            phase: forgery.phase,
            recent: forgery.recent.0,
            span: forgery.recent.1,
            total: forgery.total,
            begin: forgery.begin,
        };
        self.record(forgery.time, Body::Attack(body))
    }

    /// The record of a loss of a worker's events noticed between two times; it is dated by the second.
    pub fn loss(&mut self, class: Class, place: LossPlace, count: u64, span: (Nanos, Nanos)) -> Record {
        self.record(
            span.1,
            Body::Loss(LossRecord { class, place, reason: LossReason::Events, count, sequences: None, span }),
        )
    }

    /// The record of what is for the audit trail; its texts are cut and made legible here.
    pub fn audit(&mut self, occurrence: Occurrence) -> Record {
        self.record(occurrence.time, Body::Audit(occurrence.into_record()))
    }

    /// The record of a loss that was noticed elsewhere; it is dated by the end of its span.
    pub fn noticed(&mut self, loss: LossRecord) -> Record {
        self.record(loss.span.1, Body::Loss(loss))
    }

    /// A session event's flow, with its names.
    pub fn session_flow(&self, event: &SessionEvent) -> FlowContext {
        let flow = self.flow(event.session, event.tuple, event.rule, event.application, event.ports);
        FlowContext { translation: event.translation, ..flow }
    }

    fn flow(
        &self,
        session: SessionId,
        tuple: Tuple,
        rule: RuleId,
        application: AppId,
        (client, server): (u16, u16),
    ) -> FlowContext {
        let names = &self.names;
        FlowContext {
            session,
            tuple,
            translation: None,
            rule: Arc::clone(names.rule(rule)),
            application: Arc::clone(names.application(application)),
            interfaces: (Arc::clone(names.port(client)), Arc::clone(names.port(server))),
            zones: (Arc::clone(names.zone_of_port(client)), Arc::clone(names.zone_of_port(server))),
            user: None,
        }
    }

    /// Who had the client's address at a time. The host knows its MAC address and its place best, the person the name.
    fn user(&self, tuple: Tuple, at: Nanos, users: &AccessTable) -> Option<Arc<UserNote>> {
        let holder = users.holder((tuple.svlan, tuple.cvlan), tuple.client.address, at);
        let both = || holder.person.into_iter().chain(holder.host);
        both().next()?;
        let place = both().find(|user| user.is_local).or(both().next()).filter(|user| user.ports.0 != u16::MAX);
        Some(Arc::new(UserNote {
            name: both().find_map(|user: &AccessUser| user.user.clone()),
            mac: both().find_map(|user| user.mac).filter(|mac: &Mac| mac.is_unicast()),
            interface: place.map(|user| interface_text(self.names.port(user.ports.0), user).into()),
        }))
    }

    fn record(&mut self, time: Nanos, body: Body) -> Record {
        self.last += 1;
        Record { boot: self.boot, sequence: self.last, time, body }
    }
}

#[cfg(test)]
mod tests {
    use dataplane::access::{AccessEvent, AccessKind, Source, Text};
    use dataplane::endpoint::{Address, Endpoint, Mac};
    use dataplane::event::{CloseReason, Header, SignOnEvent, Volume, WorkerId};
    use sigdb::{AccountText, Confidence, Sighting, SignOn};

    use super::*;
    use crate::config;
    use crate::presence::access::AccessLimits;
    use crate::record::account::AccountPolicy;
    use crate::record::{ImAction, ImReason};

    fn configuration() -> Compiled {
        config::replay_default(crate::signatures::shipped())
    }

    fn nobody() -> AccessTable {
        AccessTable::new(AccessLimits { users: 1_000, silence: None, echo_timeout: Duration::ZERO })
    }

    fn header() -> Header {
        Header::new(WorkerId(0), 1, Nanos(7))
    }

    fn event(logged: bool, change: SessionChange) -> SessionEvent {
        SessionEvent {
            header: header(),
            session: SessionId(3),
            tuple: Tuple::default(),
            translation: None,
            rule: RuleId(0),
            application: AppId::UNKNOWN,
            ports: (0, 1),
            logged,
            change,
            start: Nanos(1),
            to_server: Volume::default(),
            to_client: Volume::default(),
        }
    }

    fn close() -> SessionChange {
        SessionChange::Close { reason: CloseReason::Fin }
    }

    fn login(configuration: &Compiled, logged: bool, account: &str) -> Transition {
        let account = AccountText::from(account).unwrap();
        let application = configuration.database.by_name("qq").unwrap();
        let sign_on = SignOn {
            application,
            protocol: 0,
            database: Generation::default(),
            confidence: Confidence::Certain,
            sighting: Sighting::Login,
            account,
        };
        let context = SignOnEvent {
            header: header(),
            session: SessionId(3),
            start: Nanos(1),
            tuple: Tuple::default(),
            rule: RuleId(0),
            ports: (0, 1),
            logged,
            sign_on,
        };
        let (action, reason) = (ImAction::Login, ImReason::Message);
        Transition { time: Nanos(9), action, reason, account, kept: None, online: None, context }
    }

    #[test]
    fn only_what_logs_is_recorded_and_only_records_are_numbered() {
        let configuration = configuration();
        let mut recorder = Recorder::new(BootId(5), &configuration);
        assert!(recorder.session(&event(false, SessionChange::Create), &nobody()).is_none());
        assert!(recorder.session(&event(false, SessionChange::Deny), &nobody()).is_none());
        assert!(recorder.session(&event(true, SessionChange::Application(Confidence::Certain)), &nobody()).is_none());
        assert!(recorder.im(&login(&configuration, false, "20001"), &nobody()).is_none());
        let create = recorder.session(&event(true, SessionChange::Create), &nobody()).unwrap();
        assert_eq!((create.boot, create.sequence, create.time), (BootId(5), 1, Nanos(7)));
        assert_eq!(recorder.session(&event(false, close()), &nobody()).unwrap().sequence, 2);
        assert_eq!(recorder.im(&login(&configuration, true, "20001"), &nobody()).unwrap().sequence, 3);
        let loss = recorder.loss(Class::Im, LossPlace::Worker(0), 4, (Nanos(1), Nanos(2)));
        assert_eq!((loss.sequence, loss.time, loss.body.class()), (4, Nanos(2), Class::Im));
    }

    #[test]
    fn numbers_become_names() {
        let configuration = configuration();
        let mut recorder = Recorder::new(BootId(5), &configuration);
        let Body::Im(im) = recorder.im(&login(&configuration, true, "20001"), &nobody()).unwrap().body else {
            panic!("not IM")
        };
        assert_eq!((&*im.flow.rule, &*im.flow.application, im.account.as_deref()), ("replay", "qq", Some("20001")));
        assert_eq!((&*im.flow.interfaces.0, &*im.flow.interfaces.1), ("inside", "outside"));
        assert_eq!((&*im.flow.zones.0, &*im.flow.zones.1), ("inside", "outside"));
        assert_eq!(&*im.signatures, configuration.database.version());
        let mut denied = event(true, SessionChange::Deny);
        denied.rule = RuleId::IMPLICIT;
        let Body::Session(session) = recorder.session(&denied, &nobody()).unwrap().body else {
            panic!("not a session")
        };
        assert_eq!((&*session.flow.rule, &*session.flow.application), ("implicit-deny", "unknown"));
    }

    #[test]
    fn sign_ons_are_recorded_as_the_configuration_says() {
        let mut configuration = configuration();
        let mut recorder = Recorder::new(BootId(5), &configuration);
        let Body::Im(im) = recorder.im(&login(&configuration, true, ""), &nobody()).unwrap().body else {
            panic!("not IM")
        };
        assert_eq!(im.account, None);

        configuration.im.accounts.general = AccountPolicy::Omit;
        recorder.reconfigure(&configuration);
        let record = recorder.im(&login(&configuration, true, "20001"), &nobody()).unwrap();
        let Body::Im(im) = record.body else { panic!("not IM") };
        assert_eq!((record.sequence, im.account), (2, None));

        configuration.im.enable = false;
        recorder.reconfigure(&configuration);
        assert!(recorder.im(&login(&configuration, true, "20001"), &nobody()).is_none());
        assert_eq!(recorder.session(&event(true, SessionChange::Create), &nobody()).unwrap().sequence, 3);
    }

    /// A session that began while one user had the address, and ended when another has it, is the first one's.
    #[test]
    fn records_name_the_user_of_the_address_when_the_flow_began() {
        let configuration = configuration();
        let mut recorder = Recorder::new(BootId(5), &configuration);
        let mut users = nobody();
        let address = Address::v4([10, 0, 0, 9]);
        let mut sign_on = |time: u64, kind, source, session, name: &str| {
            let mut event = AccessEvent::new(kind, source);
            (event.header.time, event.session, event.ipv4) = (Nanos(time), session, Some([10, 0, 0, 9]));
            event.texts.push(Text::User, name.as_bytes());
            if source == Source::Dhcp {
                (event.mac, event.svlan, event.is_local, event.ports) = (Some(Mac([2; 6])), 7, true, (1, 0));
            }
            users.observe(&event, &mut Vec::new());
        };
        let login = AccessKind::Login { more: false };
        sign_on(10, login, Source::Dhcp, 1, "");
        sign_on(20, login, Source::Radius, 2, "alice");
        sign_on(30, AccessKind::Logout, Source::Radius, 2, "alice");
        sign_on(40, login, Source::Radius, 3, "bob");
        let mut of = |svlan, start, change| {
            let tuple = Tuple { client: Endpoint { address, port: 4_000 }, svlan, ..Tuple::default() };
            let event = SessionEvent { tuple, start: Nanos(start), ..event(true, change) };
            let Body::Session(session) = recorder.session(&event, &users).unwrap().body else {
                panic!("not a session")
            };
            session.flow.user.map(|user| (*user).clone())
        };
        let note = |name: &str, local: bool| UserNote {
            name: Some(name.as_bytes().into()),
            mac: local.then_some(Mac([2; 6])),
            interface: local.then(|| "outside.7".into()),
        };
        assert_eq!(of(7, 25, close()), Some(note("alice", true)));
        assert_eq!(of(7, 25, SessionChange::Deny), Some(note("alice", true)));
        assert_eq!(of(8, 45, close()), Some(note("bob", false)));
        assert_eq!(of(8, 35, close()), None);
        // At that time nobody was known: the event's own time is that of the creation.
        assert_eq!(of(8, 45, SessionChange::Create), None);
        // A messenger's user who is seen only when another has the address.
        let transition = super::tests::login(&configuration, true, "20001");
        let tuple = Tuple { client: Endpoint { address, port: 4_000 }, svlan: 7, ..Tuple::default() };
        let context = SignOnEvent {
            start: Nanos(25),
            tuple,
            header: Header::new(WorkerId(0), 1, Nanos(45)),
            ..transition.context
        };
        let Body::Im(im) = recorder.im(&Transition { context, ..transition }, &users).unwrap().body else {
            panic!("not IM")
        };
        assert_eq!(im.flow.user.as_deref(), Some(&note("alice", true)));
    }
}
