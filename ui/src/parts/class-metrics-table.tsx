import type { ClassMetrics } from '../api/uploads.ts';
import { formatCount, formatMetric } from '../format/numbers.ts';
import { Scroller } from './scroller.tsx';

/** Precision, recall and F1 of each class. */
export function ClassMetricsTable(props: { rows: readonly ClassMetrics[] }) {
  return (
    <Scroller label="Quality per class">
      <table className="data-table">
        <caption>Quality per class</caption>
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col" className="number">
              Rows
            </th>
            <th scope="col" className="number">
              Precision
            </th>
            <th scope="col" className="number">
              Recall
            </th>
            <th scope="col" className="number">
              F1
            </th>
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={row.class}>
              <th scope="row">{row.class}</th>
              <td className="number">{formatCount(row.support)}</td>
              <td className="number">{formatMetric(row.precision)}</td>
              <td className="number">{formatMetric(row.recall)}</td>
              <td className="number">{formatMetric(row.f1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}
