/// Count, sum, extremes, mean and variance of a stream of whole numbers.
///
/// Mean and variance are updated one value at a time (Welford 1962), as the library of the
/// original tools does it, so that results agree to the last digits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    count: u32,
    sum: i64,
    min: i64,
    max: i64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes a value.
    pub(crate) fn add(&mut self, value: i64) {
        if self.count == 0 {
            self.min = value;
            self.max = value;
        } else {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        let deviation = value as f64 - self.mean;
        let step = deviation / f64::from(self.count);
        self.mean += step;
        self.squares += f64::from(self.count - 1) * deviation * step;
    }

    /// How many values were taken.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> i64 {
        self.sum
    }

    /// The smallest; 0 without values.
    pub fn min(&self) -> i64 {
        self.min
    }

    /// The largest; 0 without values.
    pub fn max(&self) -> i64 {
        self.max
    }

    /// Their mean; 0 without values.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Sample variance; 0 with fewer than two values.
    pub fn variance(&self) -> f64 {
        if self.count < 2 {
            0.0
        } else {
            self.squares / f64::from(self.count - 1)
        }
    }

    /// Square root of the sample variance.
    pub fn standard_deviation(&self) -> f64 {
        self.variance().sqrt()
    }
}
