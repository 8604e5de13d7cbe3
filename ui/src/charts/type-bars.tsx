import { Link } from 'wouter';
import { isNormalClass } from '../format/decision.ts';
import { formatCount, formatShare } from '../format/numbers.ts';
import { verdictsHref } from '../layout/addresses.ts';
import { ShareBar } from './share-bar.tsx';

/** Attack types by count, largest first, each a link to its verdicts. */
export function TypeBars(props: { counts: Readonly<Record<string, number>>; batchId?: string }) {
  const entries = Object.entries(props.counts)
    .filter(([name, count]) => count > 0 && !isNormalClass(name))
    .sort(([nameA, a], [nameB, b]) => b - a || nameA.localeCompare(nameB));
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  const largest = entries[0]?.[1] ?? 1;
  return (
    <ul className="type-bars">
      {entries.map(([name, count]) => (
        <li key={name}>
          <Link
            className="type-name"
            href={verdictsHref({
              threatsOnly: false,
              attackClass: name,
              batchId: props.batchId ?? '',
            })}
          >
            {name}
          </Link>
          <span className="type-count">
            {formatCount(count)} <span className="muted">{formatShare(count / total)}</span>
          </span>
          <ShareBar share={count / largest} tone="threat" />
        </li>
      ))}
    </ul>
  );
}
