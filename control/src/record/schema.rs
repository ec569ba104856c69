//! What records say, field by field: the tables that the formats and the page of the documentation share.

use std::fmt::Write as _;

/// Version of the records: it changes with every field that comes, goes or means something else. Since 2, a loss is
/// `log-loss` and says why, and which was the first and the last. Since 3, there is the class `audit`.
pub const VERSION: u16 = 3;

/// The messages of the text formats: identifier, severity by its number in RFC 5424, what happened.
pub const MESSAGES: &[(&str, u8, &str)] = &[
    ("SESSION_CREATE", 6, "a session was let through"),
    ("SESSION_CLOSE", 6, "a session ended"),
    ("SESSION_DENY", 5, "packets were denied"),
    ("IM_LOGIN", 6, "a messenger's user came online"),
    ("IM_LOGOUT", 6, "a messenger's user went offline"),
    ("IM_RESULT", 5, "the verdict on a messenger's sign-on"),
    ("IM_SEEN", 6, "a messenger's user is online, whose login was not seen"),
    ("ATTACK_BEGIN", 4, "an attack begins"),
    ("ATTACK", 4, "an attack goes on"),
    ("ATTACK_END", 5, "an attack is over"),
    ("ACCESS_LOGIN", 6, "an access user signed on"),
    ("ACCESS_LOGOUT", 6, "an access user signed off"),
    ("ACCESS_SEEN", 6, "an access user is there, whose login was not seen"),
    ("CALL_STATUS", 6, "the result of an access user's login; severity 5 where it failed"),
    ("LOG_LOSS", 4, "records were lost, and will not come any more"),
];

/// Everything that records say, as Markdown: the page control/records.md.
pub fn page() -> String {
    let mut page = format!(
        "# Records\n\nVersion {VERSION}. This page is what `ostiary records` prints. The guarantees of delivery, and how hosts are \
         configured, are in the README.\n\n## Messages\n\nMSGID of RFC 5424, first word of RFC 3164, signature of CEF.\n\n\
         | message | severity | what |\n|---|---:|---|\n"
    );
    for (id, severity, about) in MESSAGES {
        let _ = writeln!(page, "| {id} | {severity} | {about} |");
    }
    page.push_str("\nThe messages of class audit have a page of their own, `ostiary records --audit`.\n");
    page.push_str(
        "\n## Fields of text\n\nNames in the structured data of RFC 5424 (element `ostiary@32473`), in RFC 3164 and in JSON, \
         which has `time`, `host` and `schema` besides. In this order.\n\n| name | what |\n|---|---|\n",
    );
    for (name, about) in PARAMETERS {
        let _ = writeln!(page, "| {name} | {} |", about.replace('|', "\\|"));
    }
    page.push('\n');
    page.push_str(&super::ipfix::page());
    page
}

/// The parameters of our structured data element, `ostiary@32473`, in the order in which they are written. What does not
/// apply to a record, or is not known, is left out.
pub const PARAMETERS: &[(&str, &str)] = &[
    ("boot", "this run of the process, 16 hexadecimal digits"),
    (
        "seq",
        "the record's number in this run, all classes counted together; with boot it names the record, also where it is delivered twice",
    ),
    ("event", "session | signon | attack | audit | log-loss"),
    (
        "action",
        "session: create | close | deny; signon: login | logout | result | seen; attack: begin | ongoing | end; audit: the name of the event",
    ),
    ("kind", "attack: what it is, a drop reason (see the counters) without its prefix"),
    ("result", "of action result: ok | fail"),
    (
        "reason",
        "session close: fin | reset | timeout | policy | evicted | shutdown; signon: message | connection-opened | connection-closed | timeout | replaced | moved | mid-session | mention | refused; access user: message | lease | renewal | mid-session | accepted | rejected | timeout | nak | service-error | failure | user-request | lost-carrier | idle-timeout | session-timeout | admin-reset | terminated | release | decline | expired | silence | replaced | moved | nas-reboot | logoff | evicted | other; log-loss: queue-full | spool-full | spool-age | spool-corrupt | suppressed | uncarried | refused | shutdown | crash | store-full; audit: in words",
    ),
    ("application", "the application's name, unknown where it is not known"),
    (
        "account",
        "signon: the account as the configuration lets it out, absent where it is not visible or omitted; audit: which account was changed",
    ),
    ("client", "address:port of who opened the flow, IPv6 in brackets"),
    ("server", "address:port of who was asked; of ICMP queries port is 0 and the client's port the identifier"),
    ("nat-source-address", "session: what source NAT made of the client's address; absent where it did not"),
    ("nat-source-port", "session: and of its port, or identifier"),
    ("protocol", "tcp, udp, icmp, icmpv6, or the IANA number"),
    ("session", "the session's number in this run, 0 for a denied packet; audit: the session of NETCONF"),
    ("rule", "the rule that applied, implicit-deny for the deny at the end; audit: the response"),
    ("client-interface", "the port on the client's side"),
    ("server-interface", "the port on the server's side"),
    ("client-zone", "the zone of the client's side"),
    ("server-zone", "the zone of the server's side"),
    ("svlan", "outer VLAN id, absent where untagged"),
    ("cvlan", "inner VLAN id, absent where there are not two tags"),
    ("user-mac", "session, messenger: MAC address of the access user who had the client's address, where one is known"),
    ("user-interface", "session, messenger: that user's access interface"),
    ("start", "session close: when the session was created; attack: when it began"),
    ("duration", "session close: how long it lasted, seconds"),
    ("to-server-packets", "session close: packets from client to server"),
    ("to-server-octets", "session close: octets from client to server, from the IP header on"),
    ("to-client-packets", "session close: packets from server to client"),
    ("to-client-octets", "session close: octets from server to client, from the IP header on"),
    ("online", "logout: how long the account was online, seconds; absent where its login was not seen"),
    ("signatures", "signon, audit: version of the signature database"),
    ("confidence", "signon: certain | likely, how much the evidence rests on"),
    ("pseudonym-key", "signon: which key made the account, where that is a pseudonym"),
    (
        "class",
        "access user: access | call-status; log-loss: session | im | attack | access | call-status | audit, the class of the records that were lost",
    ),
    ("cause", "access user, of reason other: RADIUS's Acct-Terminate-Cause; audit: what it comes from"),
    (
        "user",
        "access user: the person's name, where any source knows it; this and what follows is `-` where it is not known; session, messenger: of the access user who had the client's address when the flow began, absent where none is known; audit: who did it",
    ),
    ("domain", "access user: what stands behind the last @ of the name"),
    ("ipv4", "access user: the IPv4 address"),
    ("ipv6", "access user: the IPv6 address"),
    ("prefix", "access user: the IPv6 prefix and its length"),
    ("assigned", "access user: router | dhcpv6 | delegated | radius, how the user came to the IPv6 address or prefix"),
    ("mac", "access user: the MAC address"),
    ("interface", "access user: the access interface, port and VLANs: inside.200.101"),
    ("zone", "access user: the zone of that port"),
    ("nas", "access user: the access server's address"),
    ("nas-id", "access user: its name (NAS-Identifier)"),
    ("nas-port", "access user: NAS-Port"),
    ("nas-port-id", "access user: NAS-Port-Id"),
    ("circuit-id", "access user: the line, as the access node names it"),
    ("remote-id", "access user: the subscriber's end of the line"),
    ("host-name", "access user: the host's name for itself"),
    ("group", "access user: Class"),
    ("filter", "access user: Filter-Id; audit: with which conditions"),
    ("session-id", "access user: Acct-Session-Id"),
    ("message", "access user: what the server told the user"),
    ("login-time", "access user: when the user signed on"),
    ("logout-time", "access user: when the user signed off"),
    ("from-user-packets", "access user: as the access server counted"),
    ("from-user-octets", "access user: as the access server counted"),
    ("to-user-packets", "access user: as the access server counted"),
    ("to-user-octets", "access user: as the access server counted"),
    ("identifies", "access user: person | host | port, what the account names"),
    ("trust", "access user: verified | unverified, of RADIUS: whether its authenticator could be verified"),
    ("place", "log-loss: worker:NUMBER | host:NAME | spool:NAME | rate:NAME | shutdown:NAME | crash:NAME | store:FILE"),
    (
        "count",
        "log-loss: how many records were lost; session deny and attack: how many packets this record is about; audit: how often",
    ),
    ("octets", "attack: octets of those, Ethernet header included; audit: how many"),
    ("total", "attack: packets since it began"),
    ("total-octets", "attack: octets since it began"),
    ("rate", "attack: packets a second since the last record, of the end since it began"),
    ("first", "when the first of count was lost or denied"),
    ("last", "log-loss: when the last was lost"),
    (
        "first-sequence",
        "log-loss: seq of the first that was lost, in the run that boot names; absent where they had none",
    ),
    ("last-sequence", "log-loss: seq of the last"),
    ("outcome", "audit: success | failure, absent where there was nothing to succeed in"),
    ("uid", "audit: the user id of who did it"),
    ("pid", "audit: the process of who did it"),
    ("role", "audit: read-only | auditor | operator | administrator | none, what that one may do"),
    ("origin", "audit: address:port of where that one is, or the address, IPv6 in brackets where there is a port"),
    ("via", "audit: cli | netconf | signal | ssh | console | dashboard | system | response, by which way"),
    ("files", "audit: how many files are written"),
    ("serial", "audit: the file's number in its series; of signatures, the database's"),
    ("file", "audit: which file"),
    ("line", "audit: which line of it"),
    ("expected", "audit: what should be there"),
    ("hash", "audit: hash of that record's line"),
    ("signature", "audit: signature of the checkpoint"),
    ("percent", "audit: how much of the room is used"),
    ("measure", "audit: what is done about it"),
    ("first-record", "audit: number of the file's first record"),
    ("last-record", "audit: number of its last; of a checkpoint, of the last in the chain"),
    ("digest", "audit: SHA-256 of what it is about"),
    ("site", "audit: where to"),
    ("version", "audit: of the program"),
    ("policy", "audit: which policy file"),
    ("generation", "audit: number of the configuration"),
    ("before", "audit: number of the one before"),
    ("comment", "audit: what its author says of it"),
    ("changes", "audit: how many keys differ"),
    ("change", "audit: add, delete or modify; of keys: made, imported, changed or deleted"),
    ("path", "audit: which key"),
    ("old", "audit: what it was; secrets are (masked)"),
    ("new", "audit: what it is; secrets are (masked)"),
    ("datastore", "audit: candidate or running"),
    ("holder", "audit: who has the lock, or ended the session"),
    ("timeout", "audit: within what time"),
    ("at", "audit: for when"),
    ("what", "audit: what it is about"),
    ("host", "audit: which log host"),
    ("view", "audit: what was shown"),
    ("rows", "audit: how many rows were shown"),
    ("request", "audit: what was asked"),
    ("right", "audit: which right was missing"),
    ("key", "audit: unique name of the key"),
    ("fingerprint", "audit: fingerprint of the key"),
    ("signer", "audit: who signed it"),
    ("peer", "audit: address and port of the other side"),
    ("transport", "audit: transport of the channel"),
    ("port", "audit: which port"),
    ("state", "audit: up or down; of a server: listening or ended"),
    ("speed", "audit: of the link, in megabits a second"),
    ("phase", "audit: begin or end"),
    ("value", "audit: how much"),
    ("service", "audit: which program of the system says so"),
    ("method", "audit: how it was proven"),
    ("as", "audit: as which account"),
    ("offer", "audit: what the client offered"),
    ("claims", "audit: where the client says that it comes from, which nothing proves"),
    ("stream", "audit: which stream of notifications"),
    ("difference", "audit: new less old, in seconds"),
    ("until", "audit: for how long"),
];
