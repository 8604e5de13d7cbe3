use tripline_features::FeatureKind;

use crate::LabelledRows;

/// Most rows that are looked through.
const MAX_ROWS: usize = 8_000;
/// Bins of a number: distances are between ranks, so that no unit counts more than another.
const BINS: usize = 64;

/// Labelled rows near others. Distance is the mean over the features of how far apart two values
/// stand in the order of the reference rows, 0 to 1, and of 0 or 1 for categories (Gower 1971,
/// <https://doi.org/10.2307/2528823>, on ranks).
#[derive(Debug, Clone)]
pub struct Neighbours {
    columns: Vec<Ranks>,
    codes: Vec<u8>,
    labels: Vec<String>,
    rows: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Ranks {
    index: usize,
    is_category: bool,
    /// Upper edges of the bins.
    edges: Vec<f64>,
}

/// A row near another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Its position among the reference rows.
    pub row: usize,
    /// Its label.
    pub label: String,
    /// 0 for the same, 1 for as far as can be.
    pub distance: f64,
}

/// A missing value.
const MISSING: u8 = u8::MAX;

impl Neighbours {
    /// Takes reference rows, at most 8,000 of them, evenly from those of each label.
    pub fn new(reference: &LabelledRows, columns: &[usize]) -> Self {
        let rows = spread(reference);
        let columns: Vec<Ranks> = columns
            .iter()
            .map(|&index| ranks(reference, &rows, index))
            .collect();
        let mut index = Self {
            codes: Vec::with_capacity(rows.len() * columns.len()),
            labels: rows
                .iter()
                .map(|row| reference.label(*row).to_owned())
                .collect(),
            columns,
            rows,
        };
        for row in index.rows.clone() {
            let codes = index.encode(reference.row(row));
            index.codes.extend(codes);
        }
        index
    }

    fn encode(&self, values: &[f64]) -> Vec<u8> {
        self.columns
            .iter()
            .map(|column| {
                let value = values.get(column.index).copied().unwrap_or(f64::NAN);
                if value.is_nan() {
                    MISSING
                } else if column.is_category {
                    (value.clamp(0.0, 253.0)) as u8
                } else {
                    column.edges.partition_point(|edge| *edge < value) as u8
                }
            })
            .collect()
    }

    /// The nearest rows, the nearest first; equally near ones in their order.
    pub fn nearest(&self, values: &[f64], count: usize) -> Vec<Neighbour> {
        let codes = self.encode(values);
        let width = self.columns.len().max(1);
        let mut found: Vec<(u32, usize)> = self
            .codes
            .chunks(width)
            .enumerate()
            .map(|(at, other)| (self.distance(&codes, other), at))
            .collect();
        let count = count.min(found.len());
        if count == 0 {
            return Vec::new();
        }
        found.select_nth_unstable(count - 1);
        found.truncate(count);
        found.sort_unstable();
        found
            .into_iter()
            .map(|(distance, at)| Neighbour {
                row: self.rows[at],
                label: self.labels[at].clone(),
                distance: f64::from(distance) / (width * BINS) as f64,
            })
            .collect()
    }

    fn distance(&self, one: &[u8], other: &[u8]) -> u32 {
        let pairs = one.iter().zip(other).zip(&self.columns);
        pairs
            .map(|((one, other), column)| match (*one, *other) {
                (one, other) if one == other => 0,
                (MISSING, _) | (_, MISSING) => BINS as u32,
                _ if column.is_category => BINS as u32,
                (one, other) => u32::from(one.abs_diff(other)),
            })
            .sum()
    }
}

fn spread(reference: &LabelledRows) -> Vec<usize> {
    let mut by_label: Vec<Vec<usize>> = vec![Vec::new(); reference.label_names().len()];
    for row in 0..reference.len() {
        let label = reference.label(row);
        if let Some(place) = reference
            .label_names()
            .iter()
            .position(|name| name == label)
        {
            by_label[place].push(row);
        }
    }
    // Rare labels are taken whole; what they leave goes to the others.
    by_label.sort_by_key(Vec::len);
    let mut rows = Vec::new();
    let mut left = by_label.len();
    for of_label in by_label {
        let share = (MAX_ROWS - rows.len()) / left.max(1);
        left -= 1;
        let count = of_label.len().min(share);
        rows.extend((0..count).map(|turn| of_label[turn * of_label.len() / count]));
    }
    rows.sort_unstable();
    rows
}

fn ranks(reference: &LabelledRows, rows: &[usize], index: usize) -> Ranks {
    let is_category = matches!(
        reference.schema().features()[index].kind,
        FeatureKind::Category(_)
    );
    let mut values: Vec<f64> = rows
        .iter()
        .map(|row| reference.row(*row)[index])
        .filter(|value| !value.is_nan())
        .collect();
    values.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> = Vec::new();
    for step in 1..BINS {
        if let Some(value) = values.get(values.len() * step / BINS)
            && edges.last().is_none_or(|last| last < value)
        {
            edges.push(*value);
        }
    }
    Ranks {
        index,
        is_category,
        edges,
    }
}
