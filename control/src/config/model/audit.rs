//! The keys of the audit trail.

use super::kind::{container, leaf, leaves, list};
use super::{Key, Node, Type};

pub(super) const AUDIT: &[Node] = &[
    leaf("mode", Type::Choice(&["event", "stream"]), "Whether sessions are kept here too; default event."),
    leaf("directory", Type::Path, "The folder of its files; default: in the state-directory."),
    leaf("when-full", Type::Choice(WHEN_FULL), "What is done without room; default overwrite-oldest."),
    leaf("sync", Type::DurationOr(&["each"]), "When what was written is made sure of; default each."),
    leaf("checkpoint-records", Type::Number(1, 1_000_000), "Records between signed lines; default 1,000."),
    leaf("checkpoint-interval", Type::Duration, "The longest time before a signed line; default 1 min."),
    leaf("group", Type::Text, "The group that may read its files; default: nobody but their owner."),
    leaf("syslog-socket", Type::Path, "Where lines of the system log are read; default nowhere."),
    leaf("mail-program", Type::Path, "What mails are handed to; default /usr/sbin/sendmail."),
    container("sftp", "How archives are sent.", SFTP),
    list("file", Key::Leaf("name"), "Its files; the one of the name audit is always there.", FILE),
];

const WHEN_FULL: &[&str] = &["overwrite-oldest", "drop-new", "refuse-traffic"];

const SFTP: &[Node] = &[
    leaf("identity", Type::Path, "The private key."),
    leaf("known-hosts", Type::Path, "The file of the sites' keys."),
    leaf("program", Type::Path, "The program; default sftp."),
];

const FILE: &[Node] = &[
    leaf("name", Type::Name, "The file's name."),
    leaves("select", Type::Text, "Its records, CLASS or CLASS/SEVERITY."),
    container("archive", "What becomes of it when it is closed.", ARCHIVE),
];

const ARCHIVE: &[Node] = &[
    leaf("files", Type::Number(1, 10_000), "How many archives are kept; default 10."),
    leaf("size", Type::Size, "At how many octets it is closed; default 10 MiB."),
    leaf("compress", Type::Boolean, "Whether archives are compressed; default true."),
    leaf("start-time", Type::Text, "From when the interval is counted, RFC 3339."),
    leaf("transfer-interval", Type::Duration, "How often it is closed, if anything came."),
    leaves("sites", Type::Text, "Where archives are sent, sftp://USER@HOST[:PORT][/FOLDER]."),
];
