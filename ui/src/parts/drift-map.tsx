import { useQuery } from '@tanstack/react-query';
import type { ColumnDrift } from '../api/monitoring.ts';
import { driftQuery } from '../api/queries.ts';
import { NO_VALUE } from '../format/numbers.ts';
import { Answer } from './answer.tsx';
import { columnsOf, levelOf, movedMost } from './drift-levels.ts';
import { Scroller } from './scroller.tsx';
import { Time } from './time.tsx';

/** Features down, windows of traffic across; the shade says how far from the training data. */
export function DriftMap({ modelId }: { modelId: string }) {
  const drift = useQuery(driftQuery(modelId));
  return (
    <Answer of={drift} what="the windows">
      {(records) => (
        <>
          <Scroller label="Drift of the features over time">
            <table className="data-table heat">
              <caption>
                {'Drift of the features over time; an exclamation mark is an alarm'}
              </caption>
              <thead>
                <tr>
                  <th scope="col">Feature</th>
                  {records.map((record) => (
                    <th scope="col" key={record.at} className="number">
                      <Time at={record.at} form="short" />
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {movedMost(records).map((feature) => (
                  <tr key={feature}>
                    <th scope="row">
                      <code>{feature}</code>
                    </th>
                    {records.map((record) => (
                      <Cell
                        key={record.at}
                        column={columnsOf(record).find((one) => one.feature === feature)}
                        isAlarmed={record.value.drifted.some((name) => name === feature)}
                      />
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroller>
          {records
            .filter((record) => record.value.silent !== null)
            .map((record) => (
              <p key={record.at} className="muted">
                <Time at={record.at} form="short" />: nothing is said, {record.value.silent}
              </p>
            ))}
        </>
      )}
    </Answer>
  );
}

function Cell({ column, isAlarmed }: { column: ColumnDrift | undefined; isAlarmed: boolean }) {
  const psi = column?.psi_beyond_chance ?? null;
  return (
    <td className={`heat-${levelOf(psi)} ${isAlarmed ? 'alarmed' : ''}`}>
      {psi === null ? NO_VALUE : psi.toFixed(2)}
      {isAlarmed && '!'}
    </td>
  );
}
