//! The arguments of `ostiary`, and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ipnet::IpNet;

use super::commit::{CommitOptions, ConfirmOptions, RollbackOptions};
use super::configure::{DeleteOptions, DiffOptions, DiscardOptions, LockOptions, SetOptions};
use super::generations::GenerationsOptions;
use super::policy::PolicyCommand;
use super::rescue::RescueOptions;
use super::trace::TraceOptions;
use crate::audit::{FOLDER, TRAIL};
use crate::config::{DEFAULT_FILE, DEFAULT_SOCKET};
use crate::manage::protocol::DEFAULT_LIMIT;

/// A firewall that logs who signs on to instant messengers.
///
/// Ostiary forwards frames between pairs of ports with DPDK, judges them by a policy, recognises applications, and sends
/// records of sessions and sign-ons to log hosts: IPFIX or syslog, over UDP, TCP or TLS.
#[derive(Debug, Parser)]
#[command(name = "ostiary", version, disable_help_subcommand = true, after_long_help = EXAMPLES, after_help = CODES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

const CODES: &str = "Exit codes: 0 done, 1 failed while running, 2 bad input (arguments, configuration, signatures, captures; no firewall to show).";

const EXAMPLES: &str = "\
Examples:
  ostiary check /etc/ostiary/policy.toml       explain every fault of a policy file, with its line
  ostiary run --config /etc/ostiary/policy.toml
                                               run the firewall, until SIGTERM or SIGINT
  ostiary replay --json day.pcap               what would have been recorded of a capture
  ostiary reload                               take the policy file up again, sessions going on
  ostiary set rule[guests].action deny         edit the candidate; see it with: ostiary diff
  ostiary commit -m 'new office' --confirm 10m
                                               put it into force; back in 10 minutes without: ostiary confirm
  ostiary rollback 1                           the configuration before
  ostiary show im                              who is online, from the running firewall
  ostiary show users --address 10.0.0.0/8      who is signed on at the access network
  ostiary trace tcp 10.1.0.5 192.0.2.80:443 --port inside
                                               which rule a connection meets, and why
  ostiary show sessions --limit 10 --json      ten sessions, for programs
  ostiary sigdb key vendor.key                   make a key to sign databases with
  ostiary sigdb compile -o ostiary.sigdb signatures/
                                               make a signature database of a folder of signature files

Exit codes:
  0  done
  1  failed while running
  2  bad input: arguments, configuration, signatures, captures; nothing was started, or there is nothing to show

Colour and tables are for terminals; --json is for programs, one object a line. NO_COLOR turns colour off.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the firewall
    ///
    /// Needs the ports of the policy file, and hugepages unless it says otherwise. Nothing is started where the file, the
    /// signatures or the machine are at fault. SIGTERM and SIGINT end it: sessions are closed and recorded, and log hosts
    /// are given what they are owed.
    Run(RunOptions),
    /// Explain every fault of a policy file, and what it will probably not do as meant
    ///
    /// Ends with 0 where the file can be run (there may be warnings), with 2 where it cannot.
    Check(CheckOptions),
    /// Examine this machine: what is missing for the firewall to run, or to run well, and the command that mends it
    ///
    /// Looks at NICs, their drivers and IOMMU groups, hugepages, CPUs, clocks, privileges, folders and addresses, with the
    /// policy file or, where it has faults, without. Changes nothing. Ends with 0 where the firewall can start (there may be
    /// warnings), with 2 where it cannot.
    Doctor(DoctorOptions),
    /// Replay capture files through the same pipeline as live frames, and print what would have been recorded
    ///
    /// Takes pcap and pcapng; Ethernet, raw IP, Linux cooked, null and loop, and PPP captures. Capture time is the clock. Needs
    /// no privileges, no ports and no hugepages. Sign-ons are recorded and every flow is identified, unless a policy file
    /// says otherwise. Of a truncated capture what is whole is replayed, and the exit code is 2.
    Replay(ReplayOptions),
    /// Have the running firewall take its policy file up again
    ///
    /// As SIGHUP does, and says what came of it. Rules, objects, profiles, the zones of ports and what of sign-ons is recorded
    /// may change; of any other key that changed, the file is refused. A file that is refused changes nothing, and the exit
    /// code is 2. Sessions are judged by the new policy at their next packet.
    Reload(ReloadOptions),
    /// Edit the candidate of the running firewall's configuration: set a value, make or move a member of a list
    ///
    /// The candidate begins as what is in force and is kept until it is committed or discarded. Comments of the file stay.
    Set(SetOptions),
    /// Edit the candidate: take something out of it
    Delete(DeleteOptions),
    /// Show what differs between two configurations, by names; without arguments, what a commit would change
    Diff(DiffOptions),
    /// Drop the candidate
    Discard(DiscardOptions),
    /// Keep others from editing and committing, until 'unlock' or the end of this terminal's session
    Lock(LockOptions),
    /// End a lock
    Unlock(LockOptions),
    /// Put the candidate into force, or the policy file as it was edited
    ///
    /// The answer comes when all workers judge by it and it is on disk as a generation. What cannot change while the firewall
    /// runs is refused, with its keys. With --confirm it goes back by itself; so it does if the firewall ends before.
    Commit(CommitOptions),
    /// Let a commit stay that waits for this
    Confirm(ConfirmOptions),
    /// Take a commit back that waits to be confirmed
    Cancel(ConfirmOptions),
    /// Put an earlier configuration into force again, as a new generation
    Rollback(RollbackOptions),
    /// Show what was committed: as many as configuration.generations says are kept
    Generations(GenerationsOptions),
    /// Keep what is in force as the rescue configuration, or put that into force
    Rescue(RescueOptions),
    /// Have counts of the running firewall begin again
    Reset(ResetOptions),
    /// Serve a NETCONF client on standard input and output
    ///
    /// For sshd, as "Subsystem netconf /usr/bin/ostiary netconf". What the client may do is judged by the user as whom this
    /// runs. What the running firewall does not serve is not offered.
    Netconf(NetconfOptions),
    /// Show what the running firewall does
    Show(ShowOptions),
    /// Say what happens to a packet, step by step: which rule, and why the others do not match
    ///
    /// Asked of the running firewall, or with --config of a policy file. The packet is not sent: no session is opened, nothing
    /// is counted. Says where it comes in, its route, its session, each rule in order with what does not agree, what would
    /// be recorded, and the verdict.
    Trace(TraceOptions),
    /// Prove, show and export the audit trail, from its files
    Audit(AuditOptions),
    /// Compile and show signature databases
    Sigdb(SigdbOptions),
    /// Describe the policy file: its schema, every key, an example
    Policy {
        /// What of it
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Print what records say, field by field, as Markdown
    Records {
        /// The events of the audit trail instead, with their fields and the requirements that ask for them
        #[arg(long)]
        audit: bool,
    },
    /// Write manual pages into a folder: ostiary.1, and one of each command
    Man {
        /// The folder; made where it is missing
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Print what has a shell complete commands and options
    ///
    /// For bash into /usr/share/bash-completion/completions/ostiary, for zsh into a file _ostiary in a folder of fpath, for
    /// fish into /usr/share/fish/vendor_completions.d/ostiary.fish.
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the version, and that of the signatures that are built in
    Version,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The policy file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub(super) config: PathBuf,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub(super) struct CheckOptions {
    /// The policy file
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    pub(super) file: PathBuf,
    /// Ask the running firewall whether it could take what a commit would take: the candidate, else its own file
    #[arg(long, conflicts_with = "file")]
    pub(super) running: bool,
    /// Of --running: the management socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET, requires = "running")]
    pub(super) socket: PathBuf,
    /// Write an object a line for each fault and warning
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorOptions {
    /// The policy file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub(super) config: PathBuf,
    /// Write an object a line for each thing that was looked at
    #[arg(long)]
    pub(super) json: bool,
    /// Examine a recorded machine: a folder with copies of its /proc, /sys, /etc, /lib and /usr
    #[arg(long, value_name = "FOLDER")]
    pub(super) root: Option<PathBuf>,
}

/// Options of `replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayOptions {
    /// Capture files, replayed one after the other; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// A policy file to judge by; its cores, devices and log hosts are not used
    #[arg(short, long, value_name = "FILE", visible_alias = "policy")]
    pub(super) config: Option<PathBuf>,
    /// Write an object a line: sign-ons, applications, sessions; the summary last
    #[arg(long)]
    pub(super) json: bool,
    /// A network on the side of the first port; may be given several times
    ///
    /// Frames from it come in at the first port of the first wire, others at the second. Without any: private, shared,
    /// unique local and link-local addresses.
    #[arg(long, value_name = "PREFIX")]
    pub(super) inside: Vec<IpNet>,
}

/// Options of `reload`.
#[derive(Debug, Args)]
pub(super) struct ReloadOptions {
    /// The management socket of the running firewall
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub(super) socket: PathBuf,
    /// Write an object
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `netconf`.
#[derive(Debug, Args)]
pub(super) struct NetconfOptions {
    /// The management socket of the running firewall
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub(super) socket: PathBuf,
}

/// Options of `reset`.
#[derive(Debug, Args)]
pub(super) struct ResetOptions {
    /// What begins again
    #[command(subcommand)]
    pub(super) what: Reset,
    /// The management socket of the running firewall
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET, global = true)]
    pub(super) socket: PathBuf,
    /// Write an object
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What `reset` has begin again.
#[derive(Debug, Subcommand)]
pub(super) enum Reset {
    /// The counts of 'show access statistics', 'show call-status statistics' or 'show log statistics'
    ///
    /// Cleared statistics cannot be restored: on a terminal it asks first. Who did it is written to standard error of the
    /// firewall and into its state-directory. Totals since start, in 'show statistics', go on.
    Statistics {
        /// Which
        class: CountedClass,
        /// Of log: only for this log host
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Counts that can begin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CountedClass {
    /// Logins and logouts
    Access,
    /// Results of logins
    CallStatus,
    /// What became of all records for log hosts
    Log,
}

/// Options of `audit`.
#[derive(Debug, Args)]
pub(super) struct AuditOptions {
    /// What to do
    #[command(subcommand)]
    pub(super) what: AuditCommand,
    /// The folder of the trail: audit.directory of the policy file, or audit in its state-directory
    #[arg(long, value_name = "DIR", default_value = FOLDER, global = true)]
    pub(super) directory: PathBuf,
}

/// What `audit` does.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Prove that nothing was changed, removed or added
    ///
    /// Goes through all files, archives too, line by line. Ends with 0 where the trail is as it was written, with 1 where it is
    /// not: each line that was changed is named, and which records are proven all the same.
    Verify {
        /// Only this file; may be given several times
        #[arg(long = "file", value_name = "NAME")]
        files: Vec<String>,
        /// The public key that has to have signed, or a file of it; may be given several times
        ///
        /// Without it, that which lies beside the trail: whoever can write there can change both.
        #[arg(long = "key", value_name = "KEY|FILE")]
        keys: Vec<String>,
        /// A checkpoint that a log host has: last-record and hash of its record; shows also that the end was cut off
        #[arg(long, value_name = "N:HASH")]
        anchor: Option<String>,
        /// Write an object for each file
        #[arg(long)]
        json: bool,
    },
    /// Show records, the last of those that hold to all conditions
    Show {
        #[command(flatten)]
        conditions: Conditions,
        /// The newest first
        #[arg(long)]
        newest: bool,
        /// Write the lines as they are in the trail
        #[arg(long)]
        json: bool,
    },
    /// Write records as they are in the trail, an object a line, oldest first
    Export {
        #[command(flatten)]
        conditions: Conditions,
        /// To a new file; without it, to standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the public key that the trail is signed with
    Key,
    /// Have the running firewall close a file, and begin the next
    Rotate {
        #[command(flatten)]
        at: TrailFile,
    },
    /// Have the running firewall send at once what is to be sent
    Upload {
        #[command(flatten)]
        at: TrailFile,
    },
}

/// A file of the trail of a running firewall.
#[derive(Debug, Args)]
pub(super) struct TrailFile {
    /// Of this name
    #[arg(long, value_name = "NAME", default_value = TRAIL)]
    pub(super) file: String,
    /// The management socket of the running firewall
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub(super) socket: PathBuf,
}

/// Which records of the trail.
#[derive(Debug, Args)]
pub(super) struct Conditions {
    /// Of this file
    #[arg(long, value_name = "NAME", default_value = TRAIL)]
    pub(super) file: String,
    /// Not before: a time, a day, or how long ago (2h)
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Before
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<String>,
    /// Of this event, as login-failed; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) event: Vec<String>,
    /// Of that severity or graver: emergency to debug, or 0 to 7
    #[arg(long, value_name = "SEVERITY")]
    pub(super) severity: Option<String>,
    /// Of this user
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// With this text in the line
    #[arg(long, value_name = "TEXT")]
    pub(super) contains: Option<String>,
    /// Records at most; 0: all. Unless said: of show 1,000, of export all
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
}

/// Options of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowOptions {
    /// What to show
    #[command(subcommand)]
    pub(super) what: View,
    /// The management socket of the running firewall
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET, global = true)]
    pub(super) socket: PathBuf,
    /// Write an object a line
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What `show` shows.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum View {
    /// The sessions in the workers' tables
    Sessions {
        /// Sessions at most
        #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
        limit: usize,
    },
    /// Who is online in which messenger
    Im {
        /// Users at most; 10,000 is the most
        #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
        limit: usize,
    },
    /// Who is signed on at the access network
    ///
    /// Of several filters, all have to hold.
    Users {
        /// Users of that name or account
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Users with that address, or one of that prefix
        #[arg(long, value_name = "ADDRESS|PREFIX")]
        address: Option<String>,
        /// Users with that MAC address
        #[arg(long, value_name = "MAC")]
        mac: Option<String>,
        /// Users at that port, or with VLANs as in inside.101
        #[arg(long, value_name = "NAME")]
        interface: Option<String>,
        /// Users known by radius, pppoe, 8021x, dhcp or dhcpv6
        #[arg(long, value_name = "SOURCE")]
        source: Option<String>,
        /// Users of the access server with that address or name
        #[arg(long, value_name = "ADDRESS|NAME")]
        nas: Option<String>,
        /// Users at most
        #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
        limit: usize,
    },
    /// Records of logins and logouts of access users
    Access {
        /// What of them
        #[command(subcommand)]
        what: AccessWhat,
    },
    /// Records of results of logins of access users
    CallStatus {
        /// What of them
        #[command(subcommand)]
        what: AccessWhat,
    },
    /// Log hosts, and how they are doing
    LogHosts,
    /// Records for log hosts
    Log {
        /// What of them
        #[command(subcommand)]
        what: LogWhat,
    },
    /// Records made and lost, and how the log hosts are doing
    Statistics,
    /// The workers' counters, drops by name among them
    Counters {
        /// Those that are 0, too
        #[arg(long)]
        all: bool,
    },
    /// The ports, their links and what they counted
    Ports,
    /// Interfaces, their addresses and links
    Interfaces,
    /// Routes, connected networks among them
    Routes,
    /// Who is known on the connected networks
    Neighbours {
        /// Neighbours at most
        #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
        limit: usize,
    },
    /// The rules in force, groups resolved
    Policy,
    /// The pools of source NAT, and how much of them is in use
    Nat,
    /// The signature database in use
    Sigdb,
}

/// What `show log` shows.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum LogWhat {
    /// What became of them since the counts began, and why those that were lost were
    Statistics {
        /// Only for this log host
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// Only of this class: session, im, attack, access or call-status
        #[arg(long, value_name = "CLASS")]
        class: Option<String>,
    },
    /// What waits for the log hosts, or the records themselves that wait for one
    Buffer {
        /// The records that wait in memory for this log host
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// Records at most; 10,000 is the most
        #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT)]
        limit: usize,
    },
}

/// What `show access` and `show call-status` show.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum AccessWhat {
    /// How they are made, and where they are sent
    Config,
    /// How many were received and sent since the counts began
    Statistics,
    /// Where the buffers are read and written, or the records that wait in a packet of them
    Buffer {
        /// The packet: seven records, numbered from 0 in the order in which they were queued for a log host
        #[arg(long, value_name = "N")]
        packet: Option<u64>,
        /// Only this record of it, 0 to 6
        #[arg(long, value_name = "M", requires = "packet", value_parser = clap::value_parser!(u8).range(0..=6))]
        record: Option<u8>,
    },
}

/// Options of `sigdb`.
#[derive(Debug, Args)]
pub(super) struct SigdbOptions {
    /// What to do
    #[command(subcommand)]
    pub(super) what: SigdbCommand,
}

/// What `sigdb` does.
#[derive(Debug, Subcommand)]
pub(super) enum SigdbCommand {
    /// Compile signature files, running the samples in them
    ///
    /// Every fault is told, with its file. Where there is any, or a sample does not come out as it says, nothing is written.
    Compile {
        /// The database to write
        #[arg(short, long, value_name = "FILE", default_value = "ostiary.sigdb")]
        output: PathBuf,
        /// The key to sign it with, a file of 'ostiary sigdb key'; not signed unless given
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A folder of signature files, or the files themselves; database.toml must be among them
        #[arg(required = true, value_name = "FOLDER|FILE")]
        sources: Vec<PathBuf>,
    },
    /// Make a key to sign databases with
    ///
    /// The file holds the secret half, for its owner only; a file that is there is not written over. What is printed goes
    /// into trusted-keys of the policy files that are to take what is signed with it.
    Key {
        /// The file to write, PKCS #8 in PEM form
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say who signed a database, and whether that is true
    ///
    /// With --trusted, ends with 2 unless one of these keys signed it.
    Verify {
        /// Keys to trust, as in trusted-keys
        #[arg(long, value_name = "KEY")]
        trusted: Vec<String>,
        /// The database
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Tell what one database knows that another does not
    Diff {
        /// The older database and the newer one; with one file, the older one is that which is built in
        #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say which rule of a signature file fits which octets, and why others do not
    ///
    /// Without a capture, of the file's samples; ends with 2 where one does not hold. Other files of the same folder are
    /// compiled with it where database.toml is among them.
    Test {
        /// The signature file
        #[arg(value_name = "FILE.toml")]
        file: PathBuf,
        /// A capture, of whose flows those are told that are this application, or fulfil a condition of it
        #[arg(value_name = "CAPTURE")]
        capture: Option<PathBuf>,
    },
    /// Show what a database knows
    Show {
        /// The database; the one that is built in unless given
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Write an object
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_of_the_configuration() {
        let Command::Run(run) = parse("ostiary run").unwrap().command else { panic!("run") };
        assert_eq!(run.config, PathBuf::from("/etc/ostiary/policy.toml"));
        let Command::Show(show) = parse("ostiary show sessions").unwrap().command else { panic!("show") };
        assert_eq!((show.socket, show.json), (PathBuf::from("/run/ostiary/ostiary.sock"), false));
        assert!(matches!(show.what, View::Sessions { limit: 1_000 }));
    }

    #[test]
    fn options_of_show_may_stand_behind_the_view() {
        let Command::Show(show) = parse("ostiary show im --limit 3 --json --socket /tmp/s").unwrap().command else {
            panic!("show")
        };
        assert!(show.json && matches!(show.what, View::Im { limit: 3 }));
        assert_eq!(show.socket, PathBuf::from("/tmp/s"));
    }

    #[test]
    fn the_buffer_has_packets_of_seven_records() {
        let what = |line: &str| match parse(line).map(|arguments| arguments.command) {
            Ok(Command::Show(ShowOptions { what: View::Access { what }, .. })) => Ok(what),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.exit_code()),
        };
        assert!(matches!(what("ostiary show access buffer"), Ok(AccessWhat::Buffer { packet: None, record: None })));
        let line = "ostiary show access buffer --packet 3 --record 6";
        assert!(matches!(what(line), Ok(AccessWhat::Buffer { packet: Some(3), record: Some(6) })));
        assert!(matches!(what("ostiary show access buffer --packet 3 --record 7"), Err(2)));
        assert!(matches!(what("ostiary show access buffer --record 1"), Err(2)), "of which packet?");
        assert!(matches!(what("ostiary show access"), Err(2)));
    }

    #[test]
    fn what_is_reset_is_named() {
        let Command::Reset(reset) = parse("ostiary reset statistics call-status --yes").unwrap().command else {
            panic!("reset")
        };
        assert!(matches!(reset.what, Reset::Statistics { class: CountedClass::CallStatus, host: None, yes: true }));
        for wrong in ["ostiary reset", "ostiary reset statistics", "ostiary reset statistics session"] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn replay_takes_files_and_a_policy() {
        let line = "ostiary replay a.pcap b.pcapng --policy p.toml --inside 10.0.0.0/8 --inside fd00::/8 --json";
        let Command::Replay(replay) = parse(line).unwrap().command else { panic!("replay") };
        assert_eq!((replay.files.len(), replay.inside.len(), replay.json), (2, 2, true));
        assert_eq!(replay.config, Some(PathBuf::from("p.toml")));
    }

    #[test]
    fn bad_arguments_end_with_2_and_help_with_0() {
        for wrong in [
            "ostiary",
            "ostiary fly",
            "ostiary sigdb compile",
            "ostiary show",
            "ostiary show im --limit x",
            "ostiary replay",
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
        for fine in ["ostiary --help", "ostiary run --help", "ostiary --version"] {
            assert_eq!(parse(fine).unwrap_err().exit_code(), 0, "{fine}");
        }
    }
}
