//! Ways to hold rows out.

use std::collections::BTreeMap;

use tripline_forest::SplitMix64;

/// Rows to learn from and rows to measure on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdout {
    /// Rows to learn from, ascending.
    pub train: Vec<usize>,
    /// Rows to measure on, ascending.
    pub held: Vec<usize>,
}

/// Assigns each row one of `folds` parts such that rows of one group share a part and every
/// label is spread as evenly as its groups allow.
pub fn grouped_folds(groups: &[u32], labels: &[&str], folds: usize, seed: u64) -> Vec<usize> {
    // A group belongs to the label of its first row; groups of mixed labels are conflicts in the
    // data and stay whole all the same.
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(row);
    }
    let mut by_label: BTreeMap<&str, Vec<&Vec<usize>>> = BTreeMap::new();
    for rows in members.values() {
        by_label.entry(labels[rows[0]]).or_default().push(rows);
    }
    let mut part = vec![0; groups.len()];
    for (index, (_, mut groups)) in by_label.into_iter().enumerate() {
        let mut random = SplitMix64::for_part(seed, index as u64);
        random.shuffle(&mut groups);
        // Large groups first, each to the part that has the fewest rows of the label so far.
        groups.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
        let mut sizes = vec![0_usize; folds];
        for rows in groups {
            let smallest = (0..folds)
                .min_by_key(|fold| (sizes[*fold], (*fold + index) % folds))
                .unwrap_or(0);
            sizes[smallest] += rows.len();
            for &row in rows {
                part[row] = smallest;
            }
        }
    }
    part
}

/// Holds out about one part in `folds` (part 0 of [`grouped_folds`]).
pub fn grouped_holdout(groups: &[u32], labels: &[&str], folds: usize, seed: u64) -> Holdout {
    let part = grouped_folds(groups, labels, folds, seed);
    let (held, train) = (0..part.len()).partition(|row| part[*row] == 0);
    Holdout { train, held }
}

/// Cuts the given rows into `regions` boxes of feature space: the largest box is halved, again and
/// again, at the median of a random column. Returns the box of each given row.
///
/// Leaving a box out imitates traffic of a kind that was not there in training.
pub fn regions(
    value: impl Fn(usize, usize) -> f64,
    rows: &[usize],
    columns: usize,
    regions: usize,
    seed: u64,
) -> Vec<usize> {
    let mut random = SplitMix64::new(seed);
    let mut boxes: Vec<Vec<usize>> = vec![(0..rows.len()).collect()];
    // A column that is constant in a box cannot cut it; some draws are in vain.
    for _ in 0..regions * columns {
        if boxes.len() >= regions {
            break;
        }
        let largest = (0..boxes.len())
            .max_by_key(|at| boxes[*at].len())
            .unwrap_or(0);
        let column = random.below(columns);
        // A missing value counts as smaller than all others.
        let known = |at: &usize| {
            let value = value(rows[*at], column);
            if value.is_nan() {
                f64::NEG_INFINITY
            } else {
                value
            }
        };
        let mut sorted: Vec<f64> = boxes[largest].iter().map(known).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let Some(&median) = sorted.get(sorted.len() / 2) else {
            break;
        };
        let (low, high): (Vec<usize>, Vec<usize>) =
            boxes[largest].iter().partition(|at| known(at) < median);
        if !low.is_empty() && !high.is_empty() {
            boxes[largest] = low;
            boxes.push(high);
        }
    }
    let mut region = vec![0; rows.len()];
    for (index, members) in boxes.into_iter().enumerate() {
        for at in members {
            region[at] = index;
        }
    }
    region
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_vectors_share_a_part_and_labels_are_spread() {
        let groups: Vec<u32> = (0..600).map(|row| row / 3).collect();
        let labels: Vec<&str> = (0..600)
            .map(|row| if row / 3 % 10 == 0 { "rare" } else { "common" })
            .collect();
        let part = grouped_folds(&groups, &labels, 5, 1);
        for pair in part.chunks(3) {
            assert!(pair.iter().all(|fold| *fold == pair[0]));
        }
        for fold in 0..5 {
            let rare = (0..600)
                .filter(|row| part[*row] == fold && labels[*row] == "rare")
                .count();
            assert_eq!(rare, 12);
        }
        assert_eq!(
            part,
            grouped_folds(&groups, &labels, 5, 1),
            "same seed, same parts"
        );
    }

    #[test]
    fn regions_halve_what_is_largest() {
        let rows: Vec<usize> = (0..800).collect();
        let value = |row: usize, column: usize| {
            if column == 0 {
                row as f64
            } else {
                (row % 7) as f64
            }
        };
        let region = regions(value, &rows, 2, 8, 3);
        let sizes: Vec<usize> = (0..8)
            .map(|index| region.iter().filter(|own| **own == index).count())
            .collect();
        assert!(sizes.iter().all(|size| *size > 20), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 800);
    }
}
