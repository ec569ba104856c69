//! What the trail tells: one table of events and one of fields. Names, identifiers, severities and the requirements of the
//! collaborative protection profile for network devices (NDcPP 3.0e) that ask for each are the interface to collectors:
//! a new event is added, none changes its meaning.

use super::super::fields::{Label, label};
use super::Outcome;

/// The events, each with its name, its MSGID, its severity (RFC 5424, table 2), how it ends unless it is said to have ended
/// otherwise, which requirements ask for it, which fields it may have, and what it means.
macro_rules! events {
    ($($event:ident $name:literal $id:literal $severity:literal $outcome:ident [$($fau:literal)*] [$($field:ident)*] $about:literal;)*) => {
        /// Something that the trail tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AuditEvent {
            $(#[doc = $about] $event,)*
        }

        impl AuditEvent {
            /// All.
            pub const ALL: &[Self] = &[$(Self::$event,)*];

            /// In the words of the records and of the configuration.
            pub fn name(self) -> &'static str {
                match self { $(Self::$event => $name,)* }
            }

            /// The MSGID of RFC 5424.
            pub fn id(self) -> &'static str {
                match self { $(Self::$event => $id,)* }
            }

            /// Unless a record has its own.
            pub fn severity(self) -> u8 {
                match self { $(Self::$event => $severity,)* }
            }

            /// How it ends, unless it failed.
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$event => Outcome::$outcome,)* }
            }

            /// The requirements that ask for it.
            pub fn fau(self) -> &'static [&'static str] {
                match self { $(Self::$event => &[$($fau),*],)* }
            }

            /// What it means, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Self::$event => $about,)* }
            }

            /// The fields that its records may have.
            pub fn fields(self) -> &'static [AuditField] {
                match self { $(Self::$event => &[$(AuditField::$field),*],)* }
            }
        }
    };
}

/// The fields, each with its name and what it holds.
macro_rules! fields {
    ($($field:ident $name:literal $about:literal;)*) => {
        /// What a record of the trail says beside who did it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AuditField {
            $(#[doc = $about] $field,)*
        }

        impl AuditField {
            /// All.
            pub const ALL: &[Self] = &[$(Self::$field,)*];

            /// In the words of the records.
            pub fn name(self) -> &'static str {
                match self { $(Self::$field => $name,)* }
            }

            /// What it holds, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Self::$field => $about,)* }
            }

            /// Its name with what formats put around it.
            pub(crate) fn label(self) -> Label {
                match self { $(Self::$field => label!($name),)* }
            }
        }
    };
}

impl AuditField {
    /// Whether it holds a number, so that formats that tell numbers from texts write one.
    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Files
                | Self::Serial
                | Self::Line
                | Self::Octets
                | Self::Percent
                | Self::Count
                | Self::FirstRecord
                | Self::LastRecord
                | Self::Generation
                | Self::Before
                | Self::Changes
                | Self::Rows
                | Self::Speed
        )
    }
}

impl AuditEvent {
    /// The event of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.name() == name)
    }
}

events! {
    AuditStart "audit-start" "AUDIT_START" 5 Success ["FAU_GEN.1"] [Reason Files Serial] "the trail is written from here on";
    AuditStop "audit-stop" "AUDIT_STOP" 5 Success ["FAU_GEN.1"] [Reason Files Serial] "the trail ends here: the firewall stops";
    AuditRecovered "audit-recovered" "AUDIT_RECOVERED" 4 None ["FAU_STG.1"] [File Line Octets Serial Count] "the run before ended without a stop, and the file's torn end was set aside";
    AuditTampered "audit-tampered" "AUDIT_TAMPERED" 1 Failure ["FAU_STG.1"] [File Line Octets Expected Reason] "a file of the trail is not as it was written";
    AuditCheckpoint "audit-checkpoint" "AUDIT_CHECKPOINT" 6 Success ["FAU_STG.1"] [File LastRecord Hash Signature] "the chain of a file was signed: what a host has of it proves that file";
    AuditFull "audit-full" "AUDIT_FULL" 2 Failure ["FAU_STG_EXT.1"] [File Percent Measure Count] "there is no room for the trail: what is configured for that is done";
    AuditSpace "audit-space" "AUDIT_SPACE" 4 None ["FAU_STG_EXT.3"] [File Percent Measure] "the room for the trail is nearly used up";
    AuditRotated "audit-rotated" "AUDIT_ROTATED" 6 Success ["FAU_STG_EXT.1"] [File Serial FirstRecord LastRecord Digest Reason] "a file of the trail was closed and a new one begun";
    AuditDeleted "audit-deleted" "AUDIT_DELETED" 5 Success ["FAU_STG.1" "FAU_STG_EXT.1"] [File Serial FirstRecord LastRecord Digest Reason] "the oldest archive was deleted to make room";
    AuditUploaded "audit-uploaded" "AUDIT_UPLOADED" 6 Success ["FAU_STG_EXT.1"] [File Serial Site Digest] "an archive was sent to a site";
    AuditUploadFailed "audit-upload-failed" "AUDIT_UPLOAD_FAILED" 4 Failure ["FAU_STG_EXT.1" "FTP_ITC.1"] [File Serial Site Reason] "an archive could not be sent to a site";
    SystemStart "system-start" "SYSTEM_START" 5 Success ["FAU_GEN.1"] [Version Policy Signatures] "the firewall forwards from here on";
    SystemStop "system-stop" "SYSTEM_STOP" 5 Success ["FAU_GEN.1"] [Reason] "the firewall stops";
    ConfigCommit "config-commit" "CONFIG_COMMIT" 5 Success ["FAU_GEN.1" "FMT_SMF.1" "FAU_STG_EXT.1"] [Generation Before Comment Changes Digest Cause] "a configuration came into force";
    ConfigRefused "config-refused" "CONFIG_REFUSED" 4 Failure ["FMT_SMF.1"] [Generation Before Comment Cause Reason] "a configuration was not taken";
    ConfigChange "config-change" "CONFIG_CHANGE" 5 Success ["FAU_GEN.1" "FMT_SMF.1" "FAU_STG_EXT.1"] [Generation Change Path Old New Count] "what a commit changed, one record for each key";
    ConfigEdit "config-edit" "CONFIG_EDIT" 6 Success ["FMT_SMF.1"] [Change Path Datastore Count] "a candidate was edited";
    ConfigDiscard "config-discard" "CONFIG_DISCARD" 6 Success ["FMT_SMF.1"] [Datastore Reason] "a candidate was discarded";
    ConfigLock "config-lock" "CONFIG_LOCK" 6 Success ["FMT_SMF.1"] [Datastore Holder] "a datastore was locked";
    ConfigUnlock "config-unlock" "CONFIG_UNLOCK" 6 Success ["FMT_SMF.1"] [Datastore Reason] "a lock was released";
    ConfigUnconfirmed "config-unconfirmed" "CONFIG_UNCONFIRMED" 5 Success ["FMT_SMF.1"] [Generation Before Changes Timeout Comment] "a configuration is in force until it is confirmed";
    ConfigConfirmed "config-confirmed" "CONFIG_CONFIRMED" 5 Success ["FMT_SMF.1"] [Generation] "a configuration was confirmed";
    ConfigReverted "config-reverted" "CONFIG_REVERTED" 5 Success ["FMT_SMF.1"] [Generation Before Changes Reason] "a configuration gave way to the one before";
    ConfigScheduled "config-scheduled" "CONFIG_SCHEDULED" 5 Success ["FMT_SMF.1"] [At Comment Reason] "a commit was set for a time";
    RescueSave "rescue-save" "RESCUE_SAVE" 5 Success ["FMT_SMF.1"] [Generation Digest] "the configuration in force became the rescue configuration";
    RescueLoad "rescue-load" "RESCUE_LOAD" 5 Success ["FMT_SMF.1"] [Generation Digest] "the rescue configuration was loaded";
    StatisticsReset "statistics-reset" "STATISTICS_RESET" 5 Success ["FMT_SMF.1"] [What Host] "counts were begun again";
    SensitiveView "sensitive-view" "SENSITIVE_VIEW" 6 Success ["FAU_GEN.1"] [View Filter Rows] "somebody looked at what names users, or at the trail";
    AccessDenied "access-denied" "ACCESS_DENIED" 4 Failure ["FMT_MOF.1" "FMT_SMF.1"] [Request Right Count] "somebody asked for what the role does not allow";
    CliCommand "cli-command" "CLI_COMMAND" 6 Success ["FMT_SMF.1"] [Request] "an action was asked for over the management socket";
    KeyChange "key-change" "KEY_CHANGE" 5 Success ["FAU_GEN.1"] [Key Change Fingerprint] "a key or certificate was made, imported, changed or deleted";
    SignatureUpdate "signature-update" "SIGNATURE_UPDATE" 5 Success ["FPT_TUD_EXT.1" "FMT_MOF.1"] [Old New Serial Signer Reason] "a signature database was taken, or refused";
    ChannelUp "channel-up" "CHANNEL_UP" 6 Success ["FTP_ITC.1"] [Host Peer Transport Count] "a connection to a log host or site was made";
    ChannelDown "channel-down" "CHANNEL_DOWN" 5 None ["FTP_ITC.1"] [Host Peer Transport Reason Count] "a connection to a log host or site ended";
    ChannelFailed "channel-failed" "CHANNEL_FAILED" 4 Failure ["FTP_ITC.1" "FCS_TLSC_EXT.1"] [Host Peer Transport Reason Count] "a connection to a log host or site could not be made";
    LinkChange "link-change" "LINK_CHANGE" 5 None [] [Port State Speed] "the link of a port came or went";
    Overload "overload" "OVERLOAD" 4 None [] [What Phase Value Port] "more came than the firewall could take, or that is over";
    Login "login" "LOGIN" 6 Success ["FAU_GEN.1" "FIA_UIA_EXT.1" "FTP_TRP.1"] [Service Method Fingerprint As] "an administrator logged in";
    LoginFailed "login-failed" "LOGIN_FAILED" 5 Failure ["FIA_UIA_EXT.1"] [Service Method Reason Fingerprint As] "an administrator's login failed";
    LoginThreshold "login-threshold" "LOGIN_THRESHOLD" 4 Failure ["FIA_AFL.1"] [Service Count Reason] "so many logins failed that the connection was closed";
    Logout "logout" "LOGOUT" 6 Success ["FAU_GEN.1" "FTA_SSL.3" "FTA_SSL.4" "FTP_TRP.1"] [Service Reason As] "an administrator logged out, or was";
    SshConnect "ssh-connect" "SSH_CONNECT" 6 Success ["FTP_TRP.1"] [Service] "a connection to the SSH server was made";
    SshNegotiationFailed "ssh-negotiation-failed" "SSH_NEGOTIATION_FAILED" 5 Failure ["FCS_SSHS_EXT.1" "FTP_TRP.1"] [Service Reason Offer] "client and SSH server have no algorithm or protocol in common";
    SshDisconnected "ssh-disconnected" "SSH_DISCONNECTED" 5 Failure ["FTP_TRP.1"] [Service Reason] "a connection to the SSH server ended before anybody logged in";
    SshServer "ssh-server" "SSH_SERVER" 5 None ["FTP_TRP.1"] [Service State Reason] "the SSH server began to listen, or ended";
    SessionStart "session-start" "SESSION_START" 6 Success ["FTP_TRP.1"] [Service What] "a session of SSH began";
    SessionEnd "session-end" "SESSION_END" 6 Success ["FTP_TRP.1" "FTA_SSL.4"] [Service What Octets] "a session of SSH ended";
    SubsystemStart "subsystem-start" "SUBSYSTEM_START" 6 Success ["FTP_TRP.1"] [Service What Reason] "a subsystem of SSH was started, or is not there";
    NetconfSessionStart "netconf-session-start" "NETCONF_SESSION_START" 6 Success ["FTP_TRP.1"] [Claims] "a session of NETCONF began";
    NetconfSessionEnd "netconf-session-end" "NETCONF_SESSION_END" 6 None ["FTP_TRP.1" "FTA_SSL.3" "FTA_SSL.4"] [Reason Holder] "a session of NETCONF ended";
    SubscriptionStart "subscription-start" "SUBSCRIPTION_START" 6 Success ["FTP_TRP.1"] [Stream Filter] "a subscription began";
    SubscriptionEnd "subscription-end" "SUBSCRIPTION_END" 6 None ["FTP_TRP.1"] [Stream Reason Count] "a subscription ended";
    ClockChanged "clock-changed" "CLOCK_CHANGED" 5 Success ["FPT_STM_EXT.1"] [Old New Difference Cause] "the clock was set";
    ClockRefused "clock-refused" "CLOCK_REFUSED" 4 Failure ["FPT_STM_EXT.1"] [Reason] "the clock was to be set, and was not";
    AccountChanged "account-changed" "ACCOUNT_CHANGED" 5 Success ["FAU_GEN.1"] [Account File Change Digest] "an account or a group of this machine was changed";
    PasswordChanged "password-changed" "PASSWORD_CHANGED" 5 Success ["FAU_GEN.1"] [Account File Service] "a password of this machine was changed";
    ResponseTaken "response-taken" "RESPONSE_TAKEN" 5 Success ["FMT_SMF.1"] [Rule Measure Cause Until Count Reason] "a response did what it is for, or ended it";
    ResponseFailed "response-failed" "RESPONSE_FAILED" 4 Failure ["FMT_SMF.1"] [Rule Measure Cause Reason] "a response could not do what it is for";
    ResponseLimited "response-limited" "RESPONSE_LIMITED" 4 None ["FMT_SMF.1"] [Rule Cause Count Reason] "a response was due more often than its limit allows";
    Raised "raised" "RAISED" 4 None [] [Rule Cause Count What] "a response raised the severity of what happened";
}

fields! {
    Reason "reason" "why";
    Files "files" "how many files are written";
    Serial "serial" "the file's number in its series; of signatures, the database's";
    File "file" "which file";
    Line "line" "which line of it";
    Octets "octets" "how many octets";
    Expected "expected" "what should be there";
    Hash "hash" "hash of that record's line";
    Signature "signature" "signature of the checkpoint";
    Percent "percent" "how much of the room is used";
    Measure "measure" "what is done about it";
    Count "count" "how often, or how many";
    FirstRecord "first-record" "number of the file's first record";
    LastRecord "last-record" "number of its last; of a checkpoint, of the last in the chain";
    Digest "digest" "SHA-256 of what it is about";
    Site "site" "where to";
    Version "version" "of the program";
    Policy "policy" "which policy file";
    Signatures "signatures" "version of the signature database";
    Generation "generation" "number of the configuration";
    Before "before" "number of the one before";
    Comment "comment" "what its author says of it";
    Changes "changes" "how many keys differ";
    Cause "cause" "what it comes from; of a response, the record that it answers: boot and seq";
    Change "change" "add, delete or modify; of keys: made, imported, changed or deleted";
    Path "path" "which key";
    Old "old" "what it was; secrets are (masked)";
    New "new" "what it is; secrets are (masked)";
    Datastore "datastore" "candidate or running";
    Holder "holder" "who has the lock, or ended the session";
    Timeout "timeout" "within what time";
    At "at" "for when";
    What "what" "what it is about";
    Host "host" "which log host";
    View "view" "what was shown";
    Filter "filter" "with which conditions";
    Rows "rows" "how many rows were shown";
    Request "request" "what was asked";
    Right "right" "which right was missing";
    Key "key" "unique name of the key";
    Fingerprint "fingerprint" "fingerprint of the key";
    Signer "signer" "who signed it";
    Peer "peer" "address and port of the other side";
    Transport "transport" "transport of the channel";
    Port "port" "which port";
    State "state" "up or down; of a server: listening or ended";
    Speed "speed" "of the link, in megabits a second";
    Phase "phase" "begin or end";
    Value "value" "how much";
    Service "service" "which program of the system says so";
    Method "method" "how it was proven";
    As "as" "as which account";
    Offer "offer" "what the client offered";
    Claims "claims" "where the client says that it comes from, which nothing proves";
    Stream "stream" "which stream of notifications";
    Difference "difference" "new less old, in seconds";
    Account "account" "which account";
    Rule "rule" "which response";
    Until "until" "for how long";
}

#[cfg(test)]
mod tests {
    use super::super::super::schema;
    use super::*;

    #[test]
    fn names_and_identifiers_are_used_once_and_say_the_same() {
        for (at, event) in AuditEvent::ALL.iter().enumerate() {
            assert_eq!(event.id(), event.name().to_uppercase().replace('-', "_"));
            assert!(event.id().len() <= 32, "RFC 5424, 6.2.7");
            assert!(AuditEvent::ALL[..at].iter().all(|other| other.name() != event.name()));
            assert!(event.severity() <= 7 && AuditEvent::named(event.name()) == Some(*event));
            let others = schema::MESSAGES.iter().map(|(id, ..)| *id);
            assert!(others.into_iter().all(|other| other != event.id()), "{}", event.id());
        }
    }

    #[test]
    fn every_field_has_a_place_in_the_page_and_an_event() {
        for field in AuditField::ALL {
            assert!(AuditEvent::ALL.iter().any(|event| event.fields().contains(field)), "{}", field.name());
            assert!(schema::PARAMETERS.iter().any(|(name, _)| *name == field.name()), "{}", field.name());
        }
    }

    /// The rows of table 2 of the protection profile that are about this product.
    #[test]
    fn every_requirement_has_an_event() {
        for id in [
            "FAU_GEN.1",
            "FAU_STG.1",
            "FAU_STG_EXT.1",
            "FAU_STG_EXT.3",
            "FIA_UIA_EXT.1",
            "FIA_AFL.1",
            "FMT_MOF.1",
            "FMT_SMF.1",
            "FPT_TUD_EXT.1",
            "FPT_STM_EXT.1",
            "FTA_SSL.3",
            "FTA_SSL.4",
            "FTP_ITC.1",
            "FTP_TRP.1",
            "FCS_TLSC_EXT.1",
            "FCS_SSHS_EXT.1",
        ] {
            assert!(AuditEvent::ALL.iter().any(|event| event.fau().contains(&id)), "{id}");
        }
    }
}
