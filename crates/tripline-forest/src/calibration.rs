//! From scores to probabilities that can be read as frequencies.

use serde::{Deserialize, Serialize};

use crate::{ForestError, ensemble::sigmoid};

/// A monotone map from a score to a probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// The score is the probability.
    Identity,
    /// Platt 1999: `sigmoid(slope · score + intercept)`.
    Platt {
        /// Factor on the score.
        slope: f64,
        /// Added to the scaled score.
        intercept: f64,
    },
    /// Kull, Silva Filho, Flach 2017: `sigmoid(a·ln p − b·ln(1−p) + c)` for a score that is a
    /// probability.
    Beta {
        /// Factor on `ln p`, not negative.
        a: f64,
        /// Factor on `−ln(1−p)`, not negative.
        b: f64,
        /// Added.
        c: f64,
    },
    /// Zadrozny & Elkan 2002: the best non-decreasing step function, read with linear
    /// interpolation between its corners.
    Isotonic {
        /// Scores of the corners, ascending.
        scores: Vec<f64>,
        /// Probability at each corner, not descending.
        probabilities: Vec<f64>,
    },
}

/// Scores are kept this far from 0 and 1, where their logarithms end.
const EDGE: f64 = 1e-12;

impl Calibration {
    /// The probability that belongs to a score.
    pub fn apply(&self, score: f64) -> f64 {
        match self {
            Self::Identity => score.clamp(0.0, 1.0),
            Self::Platt { slope, intercept } => sigmoid(slope * score + intercept),
            Self::Beta { a, b, c } => {
                let p = score.clamp(EDGE, 1.0 - EDGE);
                sigmoid(a * p.ln() - b * (1.0 - p).ln() + c)
            }
            Self::Isotonic {
                scores,
                probabilities,
            } => interpolate(scores, probabilities, score),
        }
    }

    /// Checks numbers that came from outside.
    pub fn check(&self) -> Result<(), ForestError> {
        let refuse = |what, found: String, expected| {
            Err(ForestError::Value {
                what,
                found,
                expected,
            })
        };
        match self {
            Self::Identity => Ok(()),
            Self::Platt { slope, intercept } => {
                if slope.is_finite() && intercept.is_finite() && *slope >= 0.0 {
                    Ok(())
                } else {
                    refuse(
                        "a Platt parameter",
                        format!("{slope}, {intercept}"),
                        "finite, with a slope not negative",
                    )
                }
            }
            Self::Beta { a, b, c } => {
                if a.is_finite() && b.is_finite() && c.is_finite() && *a >= 0.0 && *b >= 0.0 {
                    Ok(())
                } else {
                    refuse(
                        "a beta parameter",
                        format!("{a}, {b}, {c}"),
                        "finite, with a and b not negative",
                    )
                }
            }
            Self::Isotonic {
                scores,
                probabilities,
            } => {
                let rising = |values: &[f64]| {
                    values.iter().all(|value| value.is_finite())
                        && values.windows(2).all(|pair| pair[0] <= pair[1])
                };
                let inside = probabilities.iter().all(|p| (0.0..=1.0).contains(p));
                if scores.is_empty() || scores.len() != probabilities.len() {
                    refuse(
                        "isotonic corners",
                        scores.len().to_string(),
                        "as many scores as probabilities, at least one",
                    )
                } else if !(rising(scores) && rising(probabilities) && inside) {
                    refuse(
                        "an isotonic corner",
                        "one out of order or range".to_owned(),
                        "rising scores and probabilities in 0 to 1",
                    )
                } else {
                    Ok(())
                }
            }
        }
    }
}

fn interpolate(xs: &[f64], ys: &[f64], x: f64) -> f64 {
    let right = xs.partition_point(|corner| *corner < x);
    if right == 0 {
        return ys.first().copied().unwrap_or(0.5);
    }
    if right == xs.len() {
        return ys[right - 1];
    }
    let (x0, x1, y0, y1) = (xs[right - 1], xs[right], ys[right - 1], ys[right]);
    if x1 > x0 {
        y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    } else {
        y1
    }
}

/// One scored row of known outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The score.
    pub score: f64,
    /// Whether the row is of the positive class.
    pub positive: bool,
    /// The row's weight.
    pub weight: f64,
}

fn check_outcomes(outcomes: &[Outcome]) -> Result<(), ForestError> {
    let weight_of = |positive| -> f64 {
        outcomes
            .iter()
            .filter(|o| o.positive == positive)
            .map(|o| o.weight)
            .sum()
    };
    if !outcomes
        .iter()
        .all(|o| o.score.is_finite() && o.weight.is_finite() && o.weight >= 0.0)
    {
        return Err(ForestError::value(
            "an outcome",
            "not finite",
            "finite scores and weights",
        ));
    }
    if weight_of(true) <= 0.0 || weight_of(false) <= 0.0 {
        return Err(ForestError::value(
            "outcomes",
            "of one class",
            "rows of both classes",
        ));
    }
    Ok(())
}

/// A run of scores with one probability.
struct Block {
    first: f64,
    last: f64,
    /// Mean score.
    centre: f64,
    mean: f64,
    weight: f64,
}

impl Block {
    fn of(outcome: &Outcome) -> Self {
        Self {
            first: outcome.score,
            last: outcome.score,
            centre: outcome.score,
            mean: f64::from(u8::from(outcome.positive)),
            weight: outcome.weight,
        }
    }

    /// This block and the one after it as one.
    fn with(&self, next: &Self) -> Self {
        let weight = self.weight + next.weight;
        let share = next.weight / weight;
        Self {
            first: self.first,
            last: next.last,
            centre: self.centre + (next.centre - self.centre) * share,
            mean: self.mean + (next.mean - self.mean) * share,
            weight,
        }
    }
}

/// Fits isotonic regression by pooling adjacent violators.
pub fn fit_isotonic(outcomes: &[Outcome]) -> Result<Calibration, ForestError> {
    let (mut scores, mut probabilities) = (Vec::new(), Vec::new());
    for block in pooled_blocks(outcomes)? {
        scores.push(block.first);
        probabilities.push(block.mean);
        if block.last > block.first {
            scores.push(block.last);
            probabilities.push(block.mean);
        }
    }
    Ok(Calibration::Isotonic {
        scores,
        probabilities,
    })
}

/// Fits centred isotonic regression (Oron & Flournoy 2017): each pooled block is one corner at
/// its mean score. Where isotonic regression is flat, this rises, so that it keeps the order of
/// all scores and a decision line can lie anywhere between them. Beyond the outermost centres
/// the line goes half of the way that is left to certainty; a block that is certain stays so.
pub fn fit_centred_isotonic(outcomes: &[Outcome]) -> Result<Calibration, ForestError> {
    let blocks = pooled_blocks(outcomes)?;
    let (mut scores, mut probabilities) = (Vec::new(), Vec::new());
    if let Some(block) = blocks.first().filter(|block| block.first < block.centre) {
        scores.push(block.first);
        probabilities.push(block.mean / 2.0);
    }
    for block in &blocks {
        scores.push(block.centre);
        probabilities.push(block.mean);
    }
    if let Some(block) = blocks.last().filter(|block| block.last > block.centre) {
        scores.push(block.last);
        probabilities.push(f64::midpoint(block.mean, 1.0));
    }
    Ok(Calibration::Isotonic {
        scores,
        probabilities,
    })
}

/// Outcomes by ascending score, pooled until their share of positives rises.
fn pooled_blocks(outcomes: &[Outcome]) -> Result<Vec<Block>, ForestError> {
    check_outcomes(outcomes)?;
    let mut sorted: Vec<Outcome> = outcomes
        .iter()
        .copied()
        .filter(|o| o.weight > 0.0)
        .collect();
    sorted.sort_by(|a, b| a.score.total_cmp(&b.score));
    let mut pooled: Vec<Block> = Vec::new();
    // Equal scores are one block before anything is pooled.
    for equal in sorted.chunk_by(|a, b| a.score == b.score) {
        let ones = equal.iter().map(Block::of);
        let Some(mut block) = ones.reduce(|block, next| block.with(&next)) else {
            continue;
        };
        while let Some(before) = pooled.last() {
            if before.mean < block.mean {
                break;
            }
            block = before.with(&block);
            pooled.pop();
        }
        pooled.push(block);
    }
    for block in &mut pooled {
        block.mean = block.mean.clamp(0.0, 1.0);
        // Rounding must not carry a mean out of its block.
        block.centre = block.centre.clamp(block.first, block.last);
    }
    Ok(pooled)
}

/// Fits Platt scaling by Newton's method on the log loss.
pub fn fit_platt(outcomes: &[Outcome]) -> Result<Calibration, ForestError> {
    check_outcomes(outcomes)?;
    let rows: Vec<([f64; 3], bool, f64)> = outcomes
        .iter()
        .map(|o| ([o.score, 0.0, 1.0], o.positive, o.weight))
        .collect();
    let [slope, _, intercept] = logistic_regression(&rows, [true, false, true]);
    if slope < 0.0 {
        // A score that ranks the wrong way round carries no probability; fall to the base rate.
        let [_, _, intercept] = logistic_regression(&rows, [false, false, true]);
        return Ok(Calibration::Platt {
            slope: 0.0,
            intercept,
        });
    }
    Ok(Calibration::Platt { slope, intercept })
}

/// Fits beta calibration to scores that are probabilities. A negative factor is refitted as 0,
/// as the paper does, so that the map stays monotone.
pub fn fit_beta(outcomes: &[Outcome]) -> Result<Calibration, ForestError> {
    check_outcomes(outcomes)?;
    let rows: Vec<([f64; 3], bool, f64)> = outcomes
        .iter()
        .map(|o| {
            let p = o.score.clamp(EDGE, 1.0 - EDGE);
            ([p.ln(), -(1.0 - p).ln(), 1.0], o.positive, o.weight)
        })
        .collect();
    let mut used = [true, true, true];
    let mut fitted = logistic_regression(&rows, used);
    for index in 0..2 {
        if fitted[index] < 0.0 {
            used[index] = false;
            fitted = logistic_regression(&rows, used);
        }
    }
    let [a, b, c] = fitted;
    Ok(Calibration::Beta {
        a: a.max(0.0),
        b: b.max(0.0),
        c,
    })
}

/// Weighted logistic regression on three inputs, of which unused ones keep the factor 0.
fn logistic_regression(rows: &[([f64; 3], bool, f64)], used: [bool; 3]) -> [f64; 3] {
    // A hint of ridge keeps separable data finite.
    const RIDGE: f64 = 1e-6;
    let mut factors = [0.0; 3];
    let loss = |factors: &[f64; 3]| -> f64 {
        let penalty: f64 = factors.iter().take(2).map(|f| 0.5 * RIDGE * f * f).sum();
        rows.iter()
            .map(|(inputs, positive, weight)| {
                let z: f64 = inputs.iter().zip(factors).map(|(x, f)| x * f).sum();
                let z = if *positive { -z } else { z };
                weight * (z.max(0.0) + (-z.abs()).exp().ln_1p())
            })
            .sum::<f64>()
            + penalty
    };
    let mut current = loss(&factors);
    for _ in 0..100 {
        let mut gradient = [0.0; 3];
        let mut hessian = [[0.0; 3]; 3];
        for (inputs, positive, weight) in rows {
            let z: f64 = inputs.iter().zip(&factors).map(|(x, f)| x * f).sum();
            let p = sigmoid(z);
            let error = weight * (p - f64::from(u8::from(*positive)));
            let curvature = weight * (p * (1.0 - p)).max(1e-12);
            for i in 0..3 {
                gradient[i] += error * inputs[i];
                for j in 0..3 {
                    hessian[i][j] += curvature * inputs[i] * inputs[j];
                }
            }
        }
        for i in 0..3 {
            if i < 2 {
                gradient[i] += RIDGE * factors[i];
                hessian[i][i] += RIDGE;
            }
            if !used[i] {
                gradient[i] = 0.0;
                hessian[i] = [0.0; 3];
                for row in &mut hessian {
                    row[i] = 0.0;
                }
                hessian[i][i] = 1.0;
            }
        }
        let step = solve(hessian, gradient);
        let mut scale = 1.0;
        let mut improved = false;
        for _ in 0..40 {
            let mut next = factors;
            for (factor, step) in next.iter_mut().zip(step) {
                *factor -= scale * step;
            }
            let next_loss = loss(&next);
            if next_loss < current {
                improved = current - next_loss > 1e-12 * current.abs();
                factors = next;
                current = next_loss;
                break;
            }
            scale /= 2.0;
        }
        if !improved {
            break;
        }
    }
    factors
}

/// Solves a 3 × 3 system by Gaussian elimination with pivoting.
fn solve(mut matrix: [[f64; 3]; 3], mut right: [f64; 3]) -> [f64; 3] {
    for column in 0..3 {
        let mut pivot = column;
        for row in column + 1..3 {
            if matrix[row][column].abs() > matrix[pivot][column].abs() {
                pivot = row;
            }
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        if matrix[column][column] == 0.0 {
            continue;
        }
        for row in column + 1..3 {
            let factor = matrix[row][column] / matrix[column][column];
            for k in column..3 {
                matrix[row][k] -= factor * matrix[column][k];
            }
            right[row] -= factor * right[column];
        }
    }
    let mut solution = [0.0; 3];
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3).map(|k| matrix[row][k] * solution[k]).sum();
        if matrix[row][row] != 0.0 {
            solution[row] = (right[row] - known) / matrix[row][row];
        }
    }
    solution
}
