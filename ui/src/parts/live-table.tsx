import { Link } from 'wouter';
import type { LiveVerdict } from '../api/live.ts';
import { ShareBar } from '../charts/share-bar.tsx';
import { attackName, isThreat, rankingProbability } from '../format/decision.ts';
import { formatProbability } from '../format/numbers.ts';
import { verdictHref } from '../layout/addresses.ts';
import { SeverityBadge } from './severity-badge.tsx';
import { Time } from './time.tsx';

/** Verdicts as they fell, the newest first. Each row is one link to its verdict. */
export function LiveTable({ verdicts }: { verdicts: readonly LiveVerdict[] }) {
  return (
    <div
      className="scroller verdict-scroller"
      role="region"
      aria-label="Verdicts as they fall"
      tabIndex={0}
    >
      <table className="verdict-table">
        <thead>
          <tr>
            <th scope="col" className="col-time">
              Time
            </th>
            <th scope="col" className="col-class">
              Verdict
            </th>
            <th scope="col" className="col-probability">
              Probability
            </th>
            <th scope="col" className="col-severity">
              Severity
            </th>
            <th scope="col" className="col-source">
              Source
            </th>
          </tr>
        </thead>
        <tbody>
          {verdicts.map((verdict) => (
            <Row key={verdict.id} verdict={verdict} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ verdict: { id, at, source, decision } }: { verdict: LiveVerdict }) {
  const probability = rankingProbability(decision);
  const threat = isThreat(decision);
  const name = attackName(decision) ?? (threat ? 'unnamed attack' : 'normal');
  return (
    <tr className={threat ? 'is-threat' : ''}>
      <td className="col-time">
        <Time at={at} form="short" />
      </td>
      <td className="col-class">
        <Link className="row-link" href={verdictHref(id)}>
          {name}
        </Link>
        <span className="row-time">
          <Time at={at} form="short" />
        </span>
      </td>
      <td className="col-probability">
        <span className="probability">{formatProbability(probability)}</span>
        <ShareBar share={probability ?? 0} tone={threat ? 'threat' : 'total'} />
      </td>
      <td className="col-severity">
        <SeverityBadge decision={decision} />
      </td>
      <td className="col-source">{source.replaceAll('_', ' ')}</td>
    </tr>
  );
}
