use serde::{Deserialize, Serialize};

/// Shares of its wealth that a gambler bets, from timid to bold.
const STAKES: [f64; 12] = [
    0.002, 0.005, 0.01, 0.02, 0.04, 0.07, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9,
];
/// Beyond this the evidence is as good as certain; it keeps numbers finite.
const MAX_LOG: f64 = 600.0;

/// Evidence that the mean of something bounded is above zero, valid whenever one looks.
///
/// Gamblers bet on the sign of each outcome with a fixed share of their wealth, and start with 1
/// between them. When the mean is not above zero, whatever the past, their wealth is a
/// supermartingale: it ever reaches `1/alpha` with probability at most `alpha` (Ville 1939). So it
/// may be looked at after every row, and stopping when it looks good changes nothing. The average over
/// several stakes is the mixture of Robbins (1970); betting on means of bounded outcomes is treated
/// by Waudby-Smith and Ramdas (2024), <https://doi.org/10.1093/jrsssb/qkad009>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wealth {
    /// The logarithm of each gambler's wealth.
    logs: Vec<f64>,
    /// The highest average wealth so far, as a logarithm.
    best: f64,
    /// Outcomes seen.
    outcomes: u64,
}

impl Default for Wealth {
    fn default() -> Self {
        Self {
            logs: vec![0.0; STAKES.len()],
            best: 0.0,
            outcomes: 0,
        }
    }
}

impl Wealth {
    /// Takes an outcome that lies between -1 and 1. What lies outside is cut, and what is no number
    /// counts as nothing.
    pub fn observe(&mut self, outcome: f64) {
        if outcome.is_nan() {
            return;
        }
        self.outcomes += 1;
        if outcome == 0.0 {
            return;
        }
        let outcome = outcome.clamp(-1.0, 1.0);
        for (log, stake) in self.logs.iter_mut().zip(STAKES) {
            *log = (*log + (stake * outcome).ln_1p()).clamp(-MAX_LOG, MAX_LOG);
        }
        self.best = self.best.max(self.log());
    }

    /// The logarithm of the average wealth now.
    pub fn log(&self) -> f64 {
        let largest = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.logs.iter().map(|log| (log - largest).exp()).sum();
        largest + (sum / self.logs.len().max(1) as f64).ln()
    }

    /// The highest average wealth so far: at least `1/alpha` is evidence at level `alpha`.
    pub fn best(&self) -> f64 {
        self.best.exp()
    }

    /// Whether there ever was evidence at this level.
    pub fn rejects(&self, alpha: f64) -> bool {
        self.best >= -alpha.max(f64::MIN_POSITIVE).ln()
    }

    /// Outcomes seen.
    pub fn outcomes(&self) -> u64 {
        self.outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_is_found_and_a_loss_is_not() {
        let (mut gain, mut loss) = (Wealth::default(), Wealth::default());
        for turn in 0..400 {
            let outcome = if turn % 3 == 0 { -1.0 } else { 1.0 };
            gain.observe(outcome);
            loss.observe(-outcome);
        }
        assert!(gain.rejects(0.001), "{gain:?}");
        assert!(!loss.rejects(0.5), "{loss:?}");
    }

    #[test]
    fn hostile_outcomes_are_harmless() {
        let mut wealth = Wealth::default();
        for outcome in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            for _ in 0..2000 {
                wealth.observe(outcome);
            }
        }
        assert!(wealth.log().is_finite() && wealth.best().is_finite());
        let text = serde_json::to_string(&wealth).unwrap();
        assert_eq!(serde_json::from_str::<Wealth>(&text).unwrap(), wealth);
    }
}
