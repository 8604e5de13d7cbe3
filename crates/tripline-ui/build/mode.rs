//! What to do about the dashboard.

/// The meaning of `TRIPLINE_UI`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Build it where Node is there, explain where it is not.
    Auto,
    /// Fail where it cannot be built.
    Require,
    /// Do not build it.
    Skip,
}

impl Mode {
    /// Reads the variable; a typo must not quietly become a binary without dashboard.
    pub(crate) fn parse(value: Option<&str>) -> Result<Self, String> {
        match value {
            None | Some("" | "auto") => Ok(Self::Auto),
            Some("require") => Ok(Self::Require),
            Some("skip") => Ok(Self::Skip),
            Some(other) => Err(format!(
                "TRIPLINE_UI is {other:?}; it must be auto, require or skip"
            )),
        }
    }
}
