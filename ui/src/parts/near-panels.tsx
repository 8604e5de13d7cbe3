import { Link } from 'wouter';
import type { Counterfactual, Explanation } from '../api/verdicts.ts';
import { formatProbability, formatShare, formatValue } from '../format/numbers.ts';
import { verdictHref } from '../layout/addresses.ts';
import { Panel } from './panel.tsx';
import { Scroller } from './scroller.tsx';

/** What would have changed the decision, and labelled rows that look alike. */
export function NearPanels({ explanation }: { explanation: Explanation }) {
  return (
    <>
      {explanation.counterfactual !== null && <Otherwise of={explanation.counterfactual} />}
      {explanation.neighbours.length > 0 && (
        <Panel
          title="Labelled rows that look alike"
          note="By the features of the detector; the distance is 0 for the same and 100 % for as far as can be."
        >
          <Scroller label="Labelled rows that look alike" className="short">
            <table className="data-table">
              <thead>
                <tr>
                  <th scope="col">Label</th>
                  <th scope="col" className="number">
                    Distance
                  </th>
                  <th scope="col">From</th>
                </tr>
              </thead>
              <tbody>
                {explanation.neighbours.map((row, index) => (
                  <tr key={index}>
                    <th scope="row" className="breakable">
                      {row.label}
                    </th>
                    <td className="number">{formatShare(row.distance)}</td>
                    <td className="breakable">
                      {row.verdict_id === null ? (
                        row.source
                      ) : (
                        <Link href={verdictHref(row.verdict_id)}>labelled by {row.source}</Link>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroller>
        </Panel>
      )}
    </>
  );
}

function Otherwise({ of: found }: { of: Counterfactual }) {
  if (found.changes.length === 0) {
    return (
      <Panel title="What would have changed the decision">
        <p className="muted">
          {found.is_bounded
            ? 'No small change was found in the time there was.'
            : 'No small change of what traffic shows would have.'}
        </p>
      </Panel>
    );
  }
  return (
    <Panel
      title="What would have changed the decision"
      note={`With these values the probability of a threat would have been ${formatProbability(found.probability)}.${found.is_bounded ? ' There may be a smaller change.' : ''}`}
    >
      <Scroller label="What would have changed the decision" className="short">
        <table className="data-table">
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col" className="number">
                Is
              </th>
              <th scope="col" className="number">
                Would have to be
              </th>
            </tr>
          </thead>
          <tbody>
            {found.changes.map((change) => (
              <tr key={change.feature}>
                <th scope="row">
                  <code>{change.feature}</code>
                </th>
                <td className="number">{formatValue(change.from)}</td>
                <td className="number">{formatValue(change.to)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </Panel>
  );
}
