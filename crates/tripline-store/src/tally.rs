//! What both stores count of verdicts before they write it.

use std::collections::BTreeMap;

/// Rows of a cell of the counters, or a change of their numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) total: i64,
    pub(crate) scored: i64,
    pub(crate) threats: i64,
    pub(crate) attacks: i64,
}

impl Tally {
    /// A row that comes, with the sign 1, or goes, with -1.
    pub(crate) fn of_row(scored: bool, is_threat: bool, is_attack: bool, sign: i64) -> Self {
        Self {
            total: sign,
            scored: sign * i64::from(scored),
            threats: sign * i64::from(is_threat),
            attacks: sign * i64::from(is_attack),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.total += other.total;
        self.scored += other.scored;
        self.threats += other.threats;
        self.attacks += other.attacks;
    }
}

/// The changes of a transaction by cell, collected first and written once.
#[derive(Debug)]
pub(crate) struct Tallies<Cell> {
    cells: BTreeMap<Cell, Tally>,
    /// Neighbouring rows mostly share a cell.
    last: Option<(Cell, Tally)>,
}

impl<Cell> Default for Tallies<Cell> {
    fn default() -> Self {
        Self {
            cells: BTreeMap::new(),
            last: None,
        }
    }
}

impl<Cell: Ord> Tallies<Cell> {
    pub(crate) fn add(&mut self, cell: Cell, tally: Tally) {
        match &mut self.last {
            Some((last, sum)) if *last == cell => sum.add(tally),
            _ => {
                self.flush();
                self.last = Some((cell, tally));
            }
        }
    }

    fn flush(&mut self) {
        if let Some((cell, tally)) = self.last.take() {
            self.cells.entry(cell).or_default().add(tally);
        }
    }

    /// The sums, in the order of the cells.
    pub(crate) fn into_cells(mut self) -> BTreeMap<Cell, Tally> {
        self.flush();
        self.cells
    }
}
