/// Whose rules split packets into flows and count them.
///
/// All three are states of one program, CICFlowMeter; the public data sets were made by
/// different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// The corrected tool (Engelen et al. 2021, Liu et al. 2022), which made the corrected
    /// CICIDS2017. The shipped models are trained on it.
    #[default]
    Fixed,
    /// Upstream master, "version 4".
    V4,
    /// The build that made CICIDS2017 as published.
    Cicids2017,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Fixed, Self::V4, Self::Cicids2017];

    /// The name as it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::V4 => "v4",
            Self::Cicids2017 => "cicids2017",
        }
    }

    /// Whether this is the corrected tool.
    pub(crate) const fn is_fixed(self) -> bool {
        matches!(self, Self::Fixed)
    }
}

/// Age at which a flow is cut: it ends with the first packet that is more than this younger than
/// its first one.
pub const FLOW_TIMEOUT_MICROS: i64 = 120_000_000;

/// A gap of more than this is idle time.
pub const ACTIVITY_TIMEOUT_MICROS: i64 = 5_000_000;

/// A gap of more than this begins another subflow, and ends a bulk transfer.
pub const SUBFLOW_GAP_MICROS: i64 = 1_000_000;
