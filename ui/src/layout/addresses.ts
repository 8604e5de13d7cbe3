import type { VerdictFilter } from '../api/verdicts.ts';

export function verdictHref(id: string): string {
  return `/verdicts/${encodeURIComponent(id)}`;
}

export function batchHref(id: string): string {
  return `/batches/${encodeURIComponent(id)}`;
}

export function modelHref(id: string): string {
  return `/models/${encodeURIComponent(id)}`;
}

export function compareHref(a: string, b: string, data: string | null = null): string {
  const query = new URLSearchParams({ a, b, ...(data === null ? {} : { data }) });
  return `/models/compare?${query.toString()}`;
}

/** The list of verdicts with a filter; the address is the only place that holds it. */
export function verdictsHref(filter: VerdictFilter): string {
  const query = new URLSearchParams();
  if (filter.threatsOnly) query.set('threats', '1');
  if (filter.attackClass !== '') query.set('class', filter.attackClass);
  if (filter.batchId !== '') query.set('batch', filter.batchId);
  const text = query.toString();
  return text === '' ? '/verdicts' : `/verdicts?${text}`;
}

export function filterOf(query: URLSearchParams): VerdictFilter {
  return {
    threatsOnly: query.get('threats') === '1',
    attackClass: query.get('class') ?? '',
    batchId: query.get('batch') ?? '',
  };
}
