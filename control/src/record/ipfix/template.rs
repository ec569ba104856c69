//! The templates: which fields the records of a kind and address family have, and in which order.

use dataplane::access::Text;

use super::field::Field;
use crate::presence::access::AccessUser;
use crate::record::{Body, Class, Record, SessionAction};

/// What binary records of access users have, as `version` in `[log.access]` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessVersion {
    /// One VLAN, IPv4.
    V1,
    /// Stacked VLANs, IPv4.
    V2,
    /// One VLAN, IPv4 and IPv6.
    V3,
    /// Stacked VLANs, IPv4 and IPv6.
    #[default]
    V4,
}

impl AccessVersion {
    /// Its number, 1 to 4.
    pub const fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// Whether records of this version can tell where a user is: two VLANs need a version that has both, an address needs
    /// one that has its family. A user without any address is carried.
    pub fn carries(self, user: &AccessUser) -> bool {
        let has_ipv6 = user.ipv6.is_some() || user.prefix.is_some();
        let (stacks, tells_ipv6) = match self {
            Self::V1 => (false, false),
            Self::V2 => (true, false),
            Self::V3 => (false, true),
            Self::V4 => (true, true),
        };
        (stacks || user.cvlan == 0) && (tells_ipv6 || !has_ipv6 || user.ipv4.is_some())
    }
}

/// A template.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    /// Its number, the same in every transport session.
    pub id: u16,
    /// The fields in three runs: those of all records, those of the flow, those of the kind.
    pub fields: [&'static [Field]; 3],
}

const ALL: &[Field] = &[Field::Time, Field::Boot, Field::Sequence];

macro_rules! flow {
    ($client:ident, $server:ident) => {
        &[
            Field::Session,
            Field::$client,
            Field::$server,
            Field::ClientPort,
            Field::ServerPort,
            Field::Protocol,
            Field::Vlan,
            Field::ServiceVlan,
            Field::CustomerVlan,
            Field::Application,
            Field::Rule,
            Field::ClientInterface,
            Field::ServerInterface,
            Field::ClientZone,
            Field::ServerZone,
            Field::UserText,
            Field::UserMac,
            Field::AccessInterface,
        ]
    };
}

const V4: &[Field] = flow!(ClientV4, ServerV4);
const V6: &[Field] = flow!(ClientV6, ServerV6);

macro_rules! ends {
    ($client:ident, $server:ident) => {
        &[
            Field::$client,
            Field::$server,
            Field::ClientPort,
            Field::ServerPort,
            Field::Protocol,
            Field::ClientInterface,
            Field::ServerInterface,
            Field::ClientZone,
            Field::ServerZone,
        ]
    };
}

const ENDS_V4: &[Field] = ends!(ClientV4, ServerV4);
const ENDS_V6: &[Field] = ends!(ClientV6, ServerV6);

const MOMENT: &[Field] = &[Field::FirewallEvent, Field::Start, Field::End];
const DENY: &[Field] = &[Field::FirewallEvent, Field::Start, Field::End, Field::Packets];
const ATTACK: &[Field] = &[
    Field::AttackKind,
    Field::AttackPhase,
    Field::Octets,
    Field::Packets,
    Field::AttackTotal,
    Field::AttackRate,
    Field::Start,
    Field::End,
];
const CLOSE: &[Field] = &[
    Field::FirewallEvent,
    Field::Start,
    Field::End,
    Field::EndReason,
    Field::OctetsToServer,
    Field::PacketsToServer,
    Field::OctetsToClient,
    Field::PacketsToClient,
    Field::CloseReason,
];
/// What RFC 8158, 5.2 adds for a translated session.
const NAT_MOMENT: &[Field] =
    &[Field::NatEvent, Field::NatSource, Field::NatSourcePort, Field::FirewallEvent, Field::Start, Field::End];
const NAT_CLOSE: &[Field] = &[
    Field::NatEvent,
    Field::NatSource,
    Field::NatSourcePort,
    Field::FirewallEvent,
    Field::Start,
    Field::End,
    Field::EndReason,
    Field::OctetsToServer,
    Field::PacketsToServer,
    Field::OctetsToClient,
    Field::PacketsToClient,
    Field::CloseReason,
];
const SIGN_ON: &[Field] = &[
    Field::Start,
    Field::End,
    Field::Action,
    Field::Result,
    Field::Reason,
    Field::Account,
    Field::Online,
    Field::Signatures,
    Field::Confidence,
    Field::PseudonymKey,
];
/// Where an access user is, by what the versions have: with one VLAN or two, with IPv6 or without.
const PLACE_1: &[Field] = &[Field::Vlan, Field::UserV4];
const PLACE_2: &[Field] = &[Field::ServiceVlan, Field::CustomerVlan, Field::UserV4];
const PLACE_3: &[Field] =
    &[Field::Vlan, Field::UserV4, Field::UserV6, Field::UserPrefix, Field::UserPrefixLength, Field::Assigned];
const PLACE_4: &[Field] = &[
    Field::ServiceVlan,
    Field::CustomerVlan,
    Field::UserV4,
    Field::UserV6,
    Field::UserPrefix,
    Field::UserPrefixLength,
    Field::Assigned,
];
const ACCESS: &[Field] = &[
    Field::Start,
    Field::End,
    Field::Action,
    Field::Result,
    Field::Reason,
    Field::Cause,
    Field::AccessSource,
    Field::UserText,
    Field::UserName,
    Field::UserMac,
    Field::AccessInterface,
    Field::ClientZone,
    Field::NasV4,
    Field::NasV6,
    Field::AccessText(Text::NasId),
    Field::NasPort,
    Field::AccessText(Text::NasPortId),
    Field::AccessText(Text::CircuitId),
    Field::AccessText(Text::RemoteId),
    Field::AccessText(Text::HostName),
    Field::AccessText(Text::Class),
    Field::AccessText(Text::Filter),
    Field::AccessText(Text::SessionId),
    Field::AccessText(Text::Message),
    Field::LoginTime,
    Field::LogoutTime,
    Field::Online,
    Field::FromUserOctets,
    Field::FromUserPackets,
    Field::ToUserOctets,
    Field::ToUserPackets,
    Field::Identifies,
    Field::Trust,
];
const LOSS: &[Field] = &[
    Field::LossClass,
    Field::LossPlace,
    Field::LossCount,
    Field::LossFirst,
    Field::LossLast,
    Field::LossReason,
    Field::LossFirstSequence,
    Field::LossLastSequence,
];

const AUDIT: &[Field] = &[
    Field::AuditEvent,
    Field::AuditOutcome,
    Field::AuditSeverity,
    Field::UserText,
    Field::AuditUid,
    Field::AuditPid,
    Field::AuditRole,
    Field::AuditOriginV4,
    Field::AuditOriginV6,
    Field::ClientPort,
    Field::AuditVia,
    Field::AuditSession,
    Field::AuditDetail,
];

static CREATE_V4: Template = Template { id: 260, fields: [ALL, V4, MOMENT] };
static CREATE_V6: Template = Template { id: 261, fields: [ALL, V6, MOMENT] };
static CLOSE_V4: Template = Template { id: 262, fields: [ALL, V4, CLOSE] };
static CLOSE_V6: Template = Template { id: 263, fields: [ALL, V6, CLOSE] };
static DENY_V4: Template = Template { id: 264, fields: [ALL, V4, DENY] };
static DENY_V6: Template = Template { id: 265, fields: [ALL, V6, DENY] };
static SIGN_ON_V4: Template = Template { id: 266, fields: [ALL, V4, SIGN_ON] };
static SIGN_ON_V6: Template = Template { id: 267, fields: [ALL, V6, SIGN_ON] };
static ATTACK_V4: Template = Template { id: 269, fields: [ALL, ENDS_V4, ATTACK] };
static ATTACK_V6: Template = Template { id: 270, fields: [ALL, ENDS_V6, ATTACK] };
static NAT_CREATE: Template = Template { id: 272, fields: [ALL, V4, NAT_MOMENT] };
static NAT_CLOSED: Template = Template { id: 273, fields: [ALL, V4, NAT_CLOSE] };
static ACCESS_1: Template = Template { id: 274, fields: [ALL, PLACE_1, ACCESS] };
static ACCESS_2: Template = Template { id: 275, fields: [ALL, PLACE_2, ACCESS] };
static ACCESS_3: Template = Template { id: 276, fields: [ALL, PLACE_3, ACCESS] };
static ACCESS_4: Template = Template { id: 277, fields: [ALL, PLACE_4, ACCESS] };
static CALL_STATUS: Template = Template { id: 278, fields: [ALL, PLACE_4, ACCESS] };
static AUDITED: Template = Template { id: 281, fields: [ALL, AUDIT, &[]] };
static LOST: Template = Template { id: 268, fields: [ALL, LOSS, &[]] };

impl Template {
    /// The template of a record; of an access user's by the version that the configuration wants.
    pub fn of(record: &Record, version: AccessVersion) -> &'static Self {
        match &record.body {
            Body::Session(session) => {
                let v4 = session.flow.tuple.client.address.is_v4();
                let translated = v4 && session.flow.translation.is_some();
                match (&session.action, v4) {
                    (SessionAction::Create, _) if translated => &NAT_CREATE,
                    (SessionAction::Close { .. }, _) if translated => &NAT_CLOSED,
                    (SessionAction::Create, true) => &CREATE_V4,
                    (SessionAction::Create, false) => &CREATE_V6,
                    (SessionAction::Close { .. }, true) => &CLOSE_V4,
                    (SessionAction::Close { .. }, false) => &CLOSE_V6,
                    (SessionAction::Deny { .. }, true) => &DENY_V4,
                    (SessionAction::Deny { .. }, false) => &DENY_V6,
                }
            }
            Body::Im(im) if im.flow.tuple.client.address.is_v4() => &SIGN_ON_V4,
            Body::Im(_) => &SIGN_ON_V6,
            Body::Attack(attack) if attack.flow.tuple.client.address.is_v4() => &ATTACK_V4,
            Body::Attack(_) => &ATTACK_V6,
            Body::Access(access) => match access.class() {
                Class::CallStatus => &CALL_STATUS,
                _ => Self::of_version(version),
            },
            Body::Audit(_) => &AUDITED,
            Body::Loss(_) => &LOST,
        }
    }

    fn of_version(version: AccessVersion) -> &'static Self {
        match version {
            AccessVersion::V1 => &ACCESS_1,
            AccessVersion::V2 => &ACCESS_2,
            AccessVersion::V3 => &ACCESS_3,
            AccessVersion::V4 => &ACCESS_4,
        }
    }

    /// The templates that records of a class may use.
    pub fn of_class(class: Class, version: AccessVersion) -> &'static [&'static Self] {
        static SESSION: [&Template; 8] =
            [&CREATE_V4, &CREATE_V6, &CLOSE_V4, &CLOSE_V6, &DENY_V4, &DENY_V6, &NAT_CREATE, &NAT_CLOSED];
        static IM: [&Template; 2] = [&SIGN_ON_V4, &SIGN_ON_V6];
        static ATTACK: [&Template; 2] = [&ATTACK_V4, &ATTACK_V6];
        static V1: [&Template; 1] = [&ACCESS_1];
        static V2: [&Template; 1] = [&ACCESS_2];
        static V3: [&Template; 1] = [&ACCESS_3];
        static V4: [&Template; 1] = [&ACCESS_4];
        static RESULTS: [&Template; 1] = [&CALL_STATUS];
        static TRAIL: [&Template; 1] = [&AUDITED];
        match class {
            Class::Session => &SESSION,
            Class::Im => &IM,
            Class::Attack => &ATTACK,
            Class::Access => match version {
                AccessVersion::V1 => &V1,
                AccessVersion::V2 => &V2,
                AccessVersion::V3 => &V3,
                AccessVersion::V4 => &V4,
            },
            Class::CallStatus => &RESULTS,
            Class::Audit => &TRAIL,
        }
    }

    /// The template of losses, which records of every class may need.
    pub fn of_losses() -> &'static Self {
        &LOST
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = Field> + Clone + '_ {
        self.fields.iter().flat_map(|run| run.iter().copied())
    }
}
