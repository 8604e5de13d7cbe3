/** Share of each actual class that was predicted as each class; an empty row stays zero. */
export function rowShares(matrix: readonly (readonly number[])[]): number[][] {
  return matrix.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count) => (total === 0 ? 0 : count / total));
  });
}

/** Share on the diagonal, or null for an empty matrix. */
export function accuracyOf(matrix: readonly (readonly number[])[]): number | null {
  const total = matrix.flat().reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const right = matrix.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
  return right / total;
}

/** Shade 0–5 of a cell; anything above nothing is visible. */
export function shadeOf(share: number): number {
  if (share <= 0) return 0;
  return Math.min(5, 1 + Math.floor(share * 4.999));
}

/** The mean of the classes that have a value: a class without rows has no F1. */
export function macroMean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
