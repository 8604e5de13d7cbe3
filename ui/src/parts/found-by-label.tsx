import type { TrainingReport } from '../api/models.ts';
import { formatCount, formatShare, NO_VALUE } from '../format/numbers.ts';
import { Panel } from './panel.tsx';
import { Scroller } from './scroller.tsx';

interface Row {
  readonly label: string;
  readonly rows: number;
  readonly share: number | null;
  readonly interval: string;
}

/** Which labels a detector calls threats: on each test set, and of attacks it never saw. */
export function FoundByLabel({ report }: { report: TrainingReport }) {
  const unseen = report.training?.types ?? [];
  return (
    <>
      {report.test
        .filter(({ detector, by_label: labels }) => detector !== null && labels.length > 0)
        .map((evaluation) => (
          <LabelPanel
            key={evaluation.name}
            title={`Called a threat, by label, on ${evaluation.name}`}
            rows={evaluation.by_label.map((row) => ({
              label: row.label,
              rows: row.rows,
              share: row.rows === 0 ? null : row.called_threat / row.rows,
              interval: NO_VALUE,
            }))}
          />
        ))}
      {unseen.length > 0 && (
        <LabelPanel
          title="Attacks the detector had never seen"
          note="Each by a detector trained without that attack: what to expect of the next new one."
          rows={unseen.map((row) => ({
            label: row.label,
            rows: row.rows,
            share: row.recall,
            interval: intervalOf(row.recall_interval),
          }))}
        />
      )}
    </>
  );
}

function intervalOf([low, high]: readonly number[]): string {
  if (low === undefined || high === undefined) return NO_VALUE;
  return `${formatShare(low)} to ${formatShare(high)}`;
}

function LabelPanel(props: { title: string; note?: string; rows: readonly Row[] }) {
  const hasIntervals = props.rows.some((row) => row.interval !== NO_VALUE);
  return (
    <Panel title={props.title} note={props.note}>
      <Scroller label={props.title} className="short">
        <table className="data-table">
          <thead>
            <tr>
              <th scope="col">Label</th>
              <th scope="col" className="number">
                Rows
              </th>
              <th scope="col" className="number">
                Called a threat
              </th>
              {hasIntervals && (
                <th scope="col" className="number">
                  95 % interval
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {props.rows.map((row) => (
              <tr key={row.label}>
                <th scope="row">{row.label}</th>
                <td className="number">{formatCount(row.rows)}</td>
                <td className="number">{formatShare(row.share)}</td>
                {hasIntervals && <td className="number">{row.interval}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </Panel>
  );
}
