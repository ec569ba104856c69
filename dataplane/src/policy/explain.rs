//! Why a rule does not match, field by field: what a trace tells of each rule. Written to be read, not to be fast: it is
//! also the slow and obvious twin that the classifier is compared with.

use super::{AddressRange, Application, Policy, Query, RuleSource, ServiceMatch};
use crate::endpoint::Address;

/// A field of a rule that a query may not agree with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Field {
    /// The zone of the client's side.
    From,
    /// The zone of the server's side.
    To,
    /// The client's address.
    Source,
    /// The server's address.
    Destination,
    /// Protocol and ports, of one service together.
    Service,
    /// The application.
    Application,
    /// Users and groups.
    Users,
}

impl Field {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 7] =
        [Self::From, Self::To, Self::Source, Self::Destination, Self::Service, Self::Application, Self::Users];
}

/// The fields of a rule that do not agree with a query; where there are none, the rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misfits(u8);

impl Misfits {
    /// Whether the rule matches.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this field is one of them.
    pub const fn has(self, field: Field) -> bool {
        self.0 & 1 << field as u8 != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.has(*field))
    }
}

impl RuleSource {
    /// What of the rule does not agree with a query. An application that is not known yet agrees with any.
    pub fn misfits(&self, query: &Query) -> Misfits {
        let application = match query.application {
            Application::Named(application) => self.application.is_empty() || self.application.contains(&application),
            Application::Undecided => true,
            Application::Unknown => self.application.is_empty(),
        };
        let fits = |field| match field {
            Field::From => self.from.is_empty() || self.from.contains(&query.from),
            Field::To => self.to.is_empty() || self.to.contains(&query.to),
            Field::Source => within(&self.source, query.source),
            Field::Destination => within(&self.destination, query.destination),
            Field::Service => self.service.is_empty() || self.service.iter().any(|service| matches(service, query)),
            Field::Application => application,
            Field::Users => self.users == 0 || self.users & query.labels != 0,
        };
        Misfits(Field::ALL.into_iter().filter(|field| !fits(*field)).fold(0, |all, field| all | 1 << field as u8))
    }
}

impl Policy {
    /// What of the rule at a place does not agree with a query; none where there is no such rule.
    pub fn misfits(&self, place: usize, query: &Query) -> Option<Misfits> {
        self.source.rules.get(place).map(|rule| rule.misfits(query))
    }
}

fn matches(service: &ServiceMatch, query: &Query) -> bool {
    service.protocol.is_none_or(|protocol| protocol == query.protocol)
        && (service.source.first..=service.source.last).contains(&query.source_port)
        && (service.destination.first..=service.destination.last).contains(&query.destination_port)
}

fn within(ranges: &[AddressRange], address: Address) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| (range.first..=range.last).contains(&address))
}

#[cfg(test)]
mod tests {
    use sigdb::AppId;

    use super::super::{Action, PortRange, ZoneId};
    use super::*;

    #[test]
    fn every_field_is_told_by_itself_and_together() {
        let network =
            |last| vec![AddressRange { first: Address::v4([10, 0, 0, 0]), last: Address::v4([10, 0, 0, last]) }];
        let any = PortRange::ANY;
        let web = ServiceMatch { protocol: Some(6), source: any, destination: PortRange { first: 80, last: 80 } };
        let rule = RuleSource {
            from: vec![ZoneId(0)],
            to: vec![ZoneId(1)],
            source: network(9),
            destination: network(99),
            service: vec![web],
            application: vec![AppId(4)],
            users: 2,
            ..RuleSource::any(Action::Permit)
        };
        let query = Query {
            from: ZoneId(0),
            to: ZoneId(1),
            source: Address::v4([10, 0, 0, 9]),
            destination: Address::v4([10, 0, 0, 50]),
            protocol: 6,
            source_port: 4000,
            destination_port: 80,
            application: Application::Undecided,
            labels: 3,
        };
        let told = |query: Query| rule.misfits(&query).iter().collect::<Vec<_>>();
        assert!(told(query).is_empty());
        assert_eq!(told(Query { from: ZoneId(1), to: ZoneId(0), ..query }), [Field::From, Field::To]);
        assert_eq!(told(Query { source: query.destination, ..query }), [Field::Source]);
        assert_eq!(told(Query { destination_port: 81, ..query }), [Field::Service]);
        assert_eq!(
            told(Query { protocol: 17, application: Application::Unknown, ..query }),
            [Field::Service, Field::Application]
        );
        assert_eq!(told(Query { labels: 4, application: Application::Named(AppId(4)), ..query }), [Field::Users]);
        let other =
            Query { destination: Address::v4([192, 0, 2, 1]), application: Application::Named(AppId(5)), ..query };
        assert_eq!(told(other), [Field::Destination, Field::Application]);
    }
}
