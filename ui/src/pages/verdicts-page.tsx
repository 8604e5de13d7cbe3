import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useLocation, useSearch } from 'wouter';
import { batchesQuery, statsQuery, verdictsQuery } from '../api/queries.ts';
import { ALL_VERDICTS, type VerdictFilter } from '../api/verdicts.ts';
import { plural } from '../format/numbers.ts';
import { filterOf, verdictsHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Empty, ErrorBox, Loading } from '../parts/answer.tsx';
import { Panel } from '../parts/panel.tsx';
import { VerdictTable } from '../parts/verdict-table.tsx';

export function VerdictsPage() {
  const filter = filterOf(new URLSearchParams(useSearch()));
  const [, navigate] = useLocation();
  const change = (next: Partial<VerdictFilter>): void => {
    navigate(verdictsHref({ ...filter, ...next }), { replace: true });
  };
  return (
    <Page title="Verdicts" intro="Every scored record, newest first. Open one to see its reasons.">
      <Panel title="Records">
        <Filters filter={filter} change={change} />
        <VerdictList filter={filter} />
      </Panel>
    </Page>
  );
}

interface FiltersProps {
  readonly filter: VerdictFilter;
  readonly change: (next: Partial<VerdictFilter>) => void;
}

function Filters({ filter, change }: FiltersProps) {
  const stats = useQuery({ ...statsQuery, refetchInterval: false });
  const batches = useQuery({ ...batchesQuery, refetchInterval: false });
  const classes = Object.keys(stats.data?.attack_type_distribution ?? {});
  const files = (batches.data ?? []).map((batch) => ({
    value: batch.batch_id,
    name: batch.file_name ?? batch.batch_id,
  }));
  return (
    <div className="filters">
      <label className="check">
        <input
          type="checkbox"
          checked={filter.threatsOnly}
          onChange={(event) => {
            change({ threatsOnly: event.target.checked });
          }}
        />
        Threats only
      </label>
      <Choice
        label="Class"
        any="any class"
        value={filter.attackClass}
        options={classes.sort().map((name) => ({ value: name, name }))}
        onChange={(attackClass) => {
          change({ attackClass });
        }}
      />
      <Choice
        label="File"
        any="any source"
        value={filter.batchId}
        options={files}
        onChange={(batchId) => {
          change({ batchId });
        }}
      />
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly any: string;
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly name: string }[];
  readonly onChange: (value: string) => void;
}

/** A native select; a value from the address that is not among the options is kept as one. */
function Choice({ label, any, value, options, onChange }: ChoiceProps) {
  const unlisted = value !== '' && !options.some((option) => option.value === value);
  return (
    <label className="choice">
      {label}
      <select
        value={value}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      >
        <option value="">{any}</option>
        {unlisted && <option value={value}>{value}</option>}
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function VerdictList({ filter }: { filter: VerdictFilter }) {
  const query = useInfiniteQuery(verdictsQuery(filter));
  const verdicts = query.data?.pages.flatMap((page) => page.verdicts) ?? [];
  if (query.isPending) return <Loading what="the verdicts" />;
  return (
    <>
      {query.error !== null && (
        <ErrorBox
          title="Could not load the verdicts"
          error={query.error}
          retry={() => {
            void query.refetch();
          }}
        />
      )}
      {query.isSuccess && verdicts.length === 0 && <NoVerdicts filter={filter} />}
      {verdicts.length > 0 && (
        <>
          <VerdictTable verdicts={verdicts} label="Verdicts" />
          <div className="list-foot">
            <span className="muted" role="status">
              {plural(verdicts.length, 'verdict')} loaded
              {query.hasNextPage ? '' : ', no more on the server'}
            </span>
            {query.hasNextPage && (
              <button
                type="button"
                className="button"
                disabled={query.isFetchingNextPage}
                onClick={() => {
                  void query.fetchNextPage();
                }}
              >
                {query.isFetchingNextPage ? 'Loading…' : 'Load more'}
              </button>
            )}
          </div>
        </>
      )}
    </>
  );
}

function NoVerdicts({ filter }: { filter: VerdictFilter }) {
  const unfiltered = verdictsHref(filter) === verdictsHref(ALL_VERDICTS);
  return unfiltered ? (
    <Empty title="No verdicts yet">
      <p>Score some records first.</p>
      <Link className="button primary" href="/upload">
        Upload a CSV file
      </Link>
    </Empty>
  ) : (
    <Empty title="No verdict matches these filters">
      <p>Loosen them, or start over.</p>
      <Link className="button" href="/verdicts">
        Show all verdicts
      </Link>
    </Empty>
  );
}
