//! What somebody may do: a role, by the groups of who asks.

/// A role, from the one that may nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing.
    None,
    /// Looks at state and configuration.
    ReadOnly,
    /// Looks at the audit trail, not at the configuration.
    Auditor,
    /// Looks at all but the trail, and sets counts back.
    Operator,
    /// Everything.
    Administrator,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To look at state that names no user.
    Show,
    /// To look at what names users. Whoever does is named in the trail.
    ShowUsers,
    /// To look at the configuration.
    ShowConfiguration,
    /// To look at the trail.
    ShowAudit,
    /// To look at records as they are made, of users or of the trail; which of them, the other rights say.
    ShowRecords,
    /// To have counts begin again.
    Reset,
    /// To have files of the trail closed and sent.
    Audit,
    /// To edit the candidate, and to lock.
    Edit,
    /// To bring a configuration into force.
    Commit,
    /// To end the sessions of others.
    KillSession,
}

impl Role {
    /// All that may something.
    pub const ALL: [Self; 4] = [Self::ReadOnly, Self::Auditor, Self::Operator, Self::Administrator];

    /// In the words of the configuration and of the records.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ReadOnly => "read-only",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    /// Whether it has a right.
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::Show => self != Self::None,
            Right::ShowConfiguration => matches!(self, Self::ReadOnly | Self::Operator | Self::Administrator),
            Right::ShowUsers | Right::Reset | Right::Audit => matches!(self, Self::Operator | Self::Administrator),
            Right::ShowAudit => matches!(self, Self::Auditor | Self::Administrator),
            Right::ShowRecords => matches!(self, Self::Auditor | Self::Operator | Self::Administrator),
            Right::Edit | Right::Commit | Right::KillSession => self == Self::Administrator,
        }
    }
}

impl Right {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::Show,
        Self::ShowUsers,
        Self::ShowConfiguration,
        Self::ShowAudit,
        Self::ShowRecords,
        Self::Reset,
        Self::Audit,
        Self::Edit,
        Self::Commit,
        Self::KillSession,
    ];

    /// In the words of the trail.
    pub fn text(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::ShowUsers => "show-users",
            Self::ShowConfiguration => "show-configuration",
            Self::ShowAudit => "show-audit",
            Self::ShowRecords => "show-records",
            Self::Reset => "reset",
            Self::Audit => "audit",
            Self::Edit => "edit",
            Self::Commit => "commit",
            Self::KillSession => "kill-session",
        }
    }
}
