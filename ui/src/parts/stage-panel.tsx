import type { Stage } from '../api/verdicts.ts';
import { isPlainReading, thresholdOnAxis } from '../charts/waterfall-geometry.ts';
import { WaterfallChart } from '../charts/waterfall.tsx';
import {
  formatContribution,
  formatMargin,
  formatProbability,
  formatValue,
} from '../format/numbers.ts';
import { Panel } from './panel.tsx';
import { Scroller } from './scroller.tsx';

const TITLES: Readonly<Record<string, string>> = {
  detector: 'Why the detector decided so',
  classifier: 'Why the classifier chose this class',
};

/** One stage's explanation: the drawing, what its axis means, and every number in a table. */
export function StagePanel({ stage }: { stage: Stage }) {
  return (
    <Panel
      title={TITLES[stage.stage] ?? `Reasons of the ${stage.stage}`}
      note={
        <>
          {stage.model} {stage.model_version}. {unitNote(stage)}
        </>
      }
    >
      <p className="legend">
        <span className="key key-raises">towards {stage.class ?? 'this class'}</span>
        <span className="key key-lowers">away from it</span>
        {thresholdOnAxis(stage) !== null && (
          <span className="key key-threshold">threshold {formatProbability(stage.threshold)}</span>
        )}
      </p>
      <WaterfallChart stage={stage} />
      <details className="table-toggle">
        <summary>Every contribution as a table</summary>
        <Scroller label={`Contributions, ${stage.stage}`} className="short">
          <table className="data-table">
            <thead>
              <tr>
                <th scope="col">Feature</th>
                <th scope="col" className="number">
                  Value
                </th>
                <th scope="col" className="number">
                  Contribution
                </th>
              </tr>
            </thead>
            <tbody>
              <tr>
                <th scope="row">Base value</th>
                <td />
                <td className="number">{formatMargin(stage.base_value)}</td>
              </tr>
              {stage.contributions.map((item) => (
                <tr key={item.feature}>
                  <th scope="row">
                    <code>{item.feature}</code>
                  </th>
                  <td className="number breakable">{formatValue(item.value)}</td>
                  <td className="number">{formatContribution(item.contribution)}</td>
                </tr>
              ))}
              <tr className="sum-row">
                <th scope="row">Margin</th>
                <td />
                <td className="number">{formatMargin(stage.margin)}</td>
              </tr>
            </tbody>
          </table>
        </Scroller>
      </details>
    </Panel>
  );
}

/** What the numbers on the axis are; the kinds must not be read alike. */
function unitNote(stage: Stage): string {
  return [axisNote(stage), probabilityNote(stage)].filter((part) => part !== '').join(' ');
}

function axisNote({ stage, output }: Stage): string {
  if (output === 'probability')
    return 'The axis is a probability, before calibration if there is one.';
  if (output !== 'log-odds') return `The axis is in ${output}.`;
  return stage === 'detector'
    ? 'The axis is in log-odds: +1 multiplies the odds of an attack by 2.7.'
    : 'The axis is in log-odds: +1 multiplies the weight of this class against the others by 2.7.';
}

function probabilityNote(stage: Stage): string {
  if (stage.probability === null) return '';
  const probability = formatProbability(stage.probability, 3);
  if (isPlainReading(stage)) return `The margin stands for a probability of ${probability}.`;
  const threshold =
    stage.threshold === null
      ? ''
      : `, against a threshold of ${formatProbability(stage.threshold, 3)}`;
  return `The margin ${formatMargin(stage.margin)} was turned into a probability of ${probability}${threshold}.`;
}
