use super::{JudgedFlow, Opinion};

/// What the opinions on a flow come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decision {
    /// Whether it is a threat: one opinion that says so is enough.
    pub(crate) is_threat: bool,
    /// Which of the flow's opinions the verdict is; `None` if no model knows such flows.
    pub(crate) deciding: Option<usize>,
}

impl Decision {
    /// Of two opinions the alarmed one counts, of two alarmed ones the surer one.
    pub(crate) fn of(opinions: &[Opinion]) -> Self {
        let strength = |opinion: &Opinion| {
            let threat = opinion.verdict.threat;
            (
                opinion.verdict.is_threat(),
                threat.map_or(0.0, |threat| threat.probability),
            )
        };
        let mut deciding: Option<usize> = None;
        for (at, opinion) in opinions.iter().enumerate() {
            let is_stronger = deciding.is_none_or(|best| {
                let (best, this) = (strength(&opinions[best]), strength(opinion));
                this.0.cmp(&best.0).then(this.1.total_cmp(&best.1)).is_gt()
            });
            if is_stronger {
                deciding = Some(at);
            }
        }
        Self {
            is_threat: opinions.iter().any(|opinion| opinion.verdict.is_threat()),
            deciding,
        }
    }
}

impl JudgedFlow {
    /// What the opinions on it come to.
    pub(crate) fn decision(&self) -> Decision {
        Decision::of(&self.opinions)
    }
}
