//! Chance that is the same on every machine: integers, and floats made by the four basic
//! operations only, since the logarithms of mathematical libraries differ in the last bit.

/// `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own, so that what one session draws changes no other.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From 0 to below the limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // The bias of a 64-bit product over such small limits is below what anybody can count.
        ((u128::from(self.next()) * u128::from(limit.max(1))) >> 64) as u64
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// From 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Every order of magnitude between the ends is as likely as every other.
    pub(crate) fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        let (low, high) = (log2(low.max(1e-9)), log2(high.max(1e-9)));
        exp2(low + (high - low) * self.unit())
    }

    /// The same, as a whole number.
    pub(crate) fn whole_magnitude(&mut self, low: u64, high: u64) -> u64 {
        self.magnitude(low as f64, high as f64) as u64
    }

    /// Time to the next of events that come at random with a mean distance.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * log2(1.0 - self.unit()) * std::f64::consts::LN_2
    }
}

/// Binary logarithm to about ten digits: mantissa by the series of the area tangent.
fn log2(value: f64) -> f64 {
    let bits = value.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i64 - 1023;
    let mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let (mut sum, mut power) = (0.0, ratio);
    for odd in 0..12 {
        sum += power / f64::from(2 * odd + 1);
        power *= square;
    }
    exponent as f64 + 2.0 * sum / std::f64::consts::LN_2
}

fn exp2(value: f64) -> f64 {
    let whole = value.floor();
    let rest = (value - whole) * std::f64::consts::LN_2;
    let (mut sum, mut term) = (1.0, 1.0);
    for step in 1..16 {
        term = term * rest / f64::from(step);
        sum += term;
    }
    let scale = f64::from_bits(((whole as i64 + 1023).clamp(1, 2046) as u64) << 52);
    sum * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right() {
        for value in [1e-9, 0.3, 1.0, 1.5, 2.0, 7.0, 1e6, 1.5e9] {
            assert!((log2(value) - value.log2()).abs() < 1e-9, "{value}");
        }
        for value in [-30.0, -1.5, 0.0, 0.5, 10.25] {
            assert!((exp2(value) / value.exp2() - 1.0).abs() < 1e-9, "{value}");
        }
    }
}
