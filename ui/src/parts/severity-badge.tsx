import { type Decision, isThreat, rankingProbability } from '../format/decision.ts';
import { severityOf } from '../format/severity.ts';

/** Severity of a threat; a verdict that is none is called normal. */
export function SeverityBadge({ decision }: { decision: Decision }) {
  const probability = rankingProbability(decision);
  const severity = isThreat(decision) && probability !== null ? severityOf(probability) : 'normal';
  return <span className={`badge severity-${severity}`}>{severity}</span>;
}
