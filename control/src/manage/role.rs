//! What somebody may do: a role, by the groups of who asks.

/// A role, from the one that may nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Role {
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
}
