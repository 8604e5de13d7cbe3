import type { Timeline } from '../api/predictions.ts';
import { formatCount } from '../format/numbers.ts';
import { Scroller } from '../parts/scroller.tsx';
import { Time } from '../parts/time.tsx';

/** The same numbers as the chart, for whoever cannot see a canvas. */
export function TimelineTable({ timeline }: { timeline: Timeline }) {
  const busy = timeline.points.filter((point) => point.total > 0);
  return (
    <details className="table-toggle">
      <summary>Show as a table</summary>
      {busy.length === 0 ? (
        <p className="muted">No verdicts in this time span; choose a longer one.</p>
      ) : (
        <Scroller label="Rate over time as a table" className="short">
          <table className="data-table">
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col" className="number">
                  Verdicts
                </th>
                <th scope="col" className="number">
                  Threats
                </th>
              </tr>
            </thead>
            <tbody>
              {busy.map((point) => (
                <tr key={point.start}>
                  <th scope="row">
                    <Time at={point.start} form="short" />
                  </th>
                  <td className="number">{formatCount(point.total)}</td>
                  <td className="number">{formatCount(point.threats)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroller>
      )}
    </details>
  );
}
