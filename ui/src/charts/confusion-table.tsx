import { formatCount, formatShare } from '../format/numbers.ts';
import { Scroller } from '../parts/scroller.tsx';
import { rowShares, shadeOf } from './confusion-metrics.ts';

interface Props {
  readonly caption: string;
  readonly classes: readonly string[];
  readonly matrix: readonly (readonly number[])[];
}

/** Actual classes down, predicted classes across; the shade is the share of the actual class. */
export function ConfusionTable({ caption, classes, matrix }: Props) {
  const shares = rowShares(matrix);
  return (
    <Scroller label={caption}>
      <table className="confusion">
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col" className="corner">
              actual ↓ predicted →
            </th>
            {classes.map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
            <th scope="col" className="total">
              rows
            </th>
          </tr>
        </thead>
        <tbody>
          {matrix.map((row, index) => (
            <tr key={classes[index] ?? index}>
              <th scope="row">{classes[index] ?? `class ${index}`}</th>
              {row.map((count, column) => {
                const share = shares[index]?.[column] ?? 0;
                const kind = column === index ? 'hit' : 'miss';
                return (
                  <td key={classes[column] ?? column} className={`${kind} shade-${shadeOf(share)}`}>
                    <span className="cell-count">{formatCount(count)}</span>
                    {count > 0 && <span className="cell-share">{formatShare(share)}</span>}
                  </td>
                );
              })}
              <td className="total">{formatCount(row.reduce((sum, count) => sum + count, 0))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}
