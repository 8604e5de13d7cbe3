import { useQuery } from '@tanstack/react-query';
import type { Insight } from '../api/models.ts';
import { insightQuery } from '../api/queries.ts';
import { ShareBar } from '../charts/share-bar.tsx';
import { formatMetric, formatProbability, formatValue } from '../format/numbers.ts';
import { Answer } from './answer.tsx';
import { Panel } from './panel.tsx';
import { Scroller } from './scroller.tsx';

const SHOWN = 12;

/** What a model looks at: importances, and what it thinks as one feature changes. */
export function InsightPanel({ id }: { id: string }) {
  const insight = useQuery(insightQuery(id));
  return (
    <Panel title="What it looks at on traffic">
      <Answer of={insight} what="what it looks at">
        {(found) => (
          <>
            <p className="panel-note">
              Measured on {found.rows}.
              {found.labelled !== null && ` Permutation on ${found.labelled}.`}
            </p>
            <Importances of={found} />
            {found.dependence.map(({ feature, points }) => (
              <details key={feature} className="table-toggle">
                <summary>
                  What it thinks on average as <code>{feature}</code> changes
                </summary>
                <table className="data-table compact">
                  <thead>
                    <tr>
                      <th scope="col" className="number">
                        Value
                      </th>
                      <th scope="col" className="number">
                        Mean probability
                      </th>
                      <th scope="col">
                        <span className="visually-hidden">as a bar</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {points.map(([value, probability], index) => (
                      <tr key={index}>
                        <th scope="row" className="number">
                          {formatValue(value)}
                        </th>
                        <td className="number">{formatProbability(probability)}</td>
                        <td className="bar-cell">
                          <ShareBar share={probability} tone="total" />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </details>
            ))}
          </>
        )}
      </Answer>
    </Panel>
  );
}

function Importances({ of: { importances, output } }: { of: Insight }) {
  const shown = importances.slice(0, SHOWN);
  const largest = shown[0]?.mean_abs_contribution ?? 0;
  return (
    <Scroller label="Importances" className="short">
      <table className="data-table">
        <thead>
          <tr>
            <th scope="col">Feature</th>
            <th scope="col" className="number">
              Mean |SHAP| ({output})
            </th>
            <th scope="col">
              <span className="visually-hidden">as a bar</span>
            </th>
            <th scope="col" className="number">
              ROC AUC lost when shuffled
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => (
            <tr key={one.feature}>
              <th scope="row">
                <code>{one.feature}</code>
              </th>
              <td className="number">{one.mean_abs_contribution.toFixed(4)}</td>
              <td className="bar-cell">
                <ShareBar
                  share={largest === 0 ? 0 : one.mean_abs_contribution / largest}
                  tone="total"
                />
              </td>
              <td className="number">{formatMetric(one.permutation)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}
