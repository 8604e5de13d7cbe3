import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import { Link } from 'wouter';
import type { Verdict } from '../api/verdicts.ts';
import { ShareBar } from '../charts/share-bar.tsx';
import { endPoint } from '../format/flow.ts';
import { attackName, isThreat, rankingProbability } from '../format/decision.ts';
import { formatContribution, formatProbability, formatValue } from '../format/numbers.ts';
import { verdictHref } from '../layout/addresses.ts';
import { SeverityBadge } from './severity-badge.tsx';
import { Time } from './time.tsx';

const ROW_HEIGHT = 44;

/**
 * A list of verdicts of any length: only the rows in view are in the document.
 * Each row is one link to its verdict.
 */
export function VerdictTable(props: { verdicts: readonly Verdict[]; label: string }) {
  const { verdicts, label } = props;
  const box = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- no React compiler here, so nothing memoises what the virtualizer returns.
  const virtualizer = useVirtualizer({
    count: verdicts.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
    initialRect: { width: 0, height: 600 },
  });
  const items = virtualizer.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtualizer.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div
      className="scroller verdict-scroller"
      ref={box}
      role="region"
      aria-label={label}
      tabIndex={0}
    >
      <table className="verdict-table" aria-rowcount={verdicts.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
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
            <th scope="col" className="col-reason">
              Top reason
            </th>
            <th scope="col" className="col-source">
              Source
            </th>
          </tr>
        </thead>
        <tbody>
          <Spacer height={before} />
          {items.map((item) => {
            const verdict = verdicts[item.index];
            if (verdict === undefined) return null;
            return <VerdictRow key={verdict.id ?? item.key} verdict={verdict} index={item.index} />;
          })}
          <Spacer height={after} />
        </tbody>
      </table>
    </div>
  );
}

/** Stands for the rows that are not in the document, so that the scroll bar is right. */
function Spacer({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr className="spacer" aria-hidden="true">
      <td style={{ height }} />
    </tr>
  );
}

/** Of a flow its ends, of a row of a file its number. */
function SourceCell({ verdict }: { verdict: Verdict }) {
  const { flow } = verdict;
  if (flow !== null) {
    return (
      <>
        <span className="flow-end">
          {endPoint(flow.src_ip, flow.src_port)}
          {flow.stage === 'early' && <span className="badge tone-busy">early</span>}
        </span>
        <span className="flow-end">
          → {endPoint(flow.dst_ip, flow.dst_port)} {flow.protocol}
        </span>
      </>
    );
  }
  return (
    <>
      {verdict.source.replaceAll('_', ' ')}
      {verdict.row !== null && <span className="muted"> row {verdict.row}</span>}
    </>
  );
}

function VerdictRow({ verdict, index }: { verdict: Verdict; index: number }) {
  const probability = rankingProbability(verdict);
  const threat = isThreat(verdict);
  const name = attackName(verdict) ?? (threat ? 'unnamed attack' : 'normal');
  const reason = verdict.reasons[0];
  return (
    <tr aria-rowindex={index + 2} className={threat ? 'is-threat' : ''}>
      <td className="col-time">
        <Time at={verdict.created_at} form="short" />
      </td>
      <td className="col-class">
        {verdict.id === null ? (
          name
        ) : (
          <Link className="row-link" href={verdictHref(verdict.id)}>
            {name}
          </Link>
        )}
        <span className="row-time">
          <Time at={verdict.created_at} form="short" />
        </span>
      </td>
      <td className="col-probability">
        <span className="probability">{formatProbability(probability)}</span>
        <ShareBar share={probability ?? 0} tone={threat ? 'threat' : 'total'} />
      </td>
      <td className="col-severity">
        <SeverityBadge decision={verdict} />
      </td>
      <td className="col-reason">
        {reason !== undefined && (
          <>
            {reason.feature} = {formatValue(reason.value)}{' '}
            <span className="muted">{formatContribution(reason.contribution)}</span>
          </>
        )}
      </td>
      <td className="col-source">
        <SourceCell verdict={verdict} />
      </td>
    </tr>
  );
}
