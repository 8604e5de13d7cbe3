import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type SubmitEvent, useRef } from 'react';
import { sourcesQuery } from '../api/queries.ts';
import { changeSource, type Source, typedParams } from '../api/sources.ts';
import { formatCount, formatValue, NO_VALUE } from '../format/numbers.ts';
import { ErrorBox } from './answer.tsx';
import { Facts } from './facts.tsx';
import { Panel } from './panel.tsx';
import { StatusBadge } from './status-badge.tsx';
import { Time } from './time.tsx';

interface Change {
  readonly isEnabled: boolean;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** A source with its state, its switch and its parameters. */
export function SourcePanel({ source }: { source: Source }) {
  const name = source.source_name;
  const title = titleOf(name);
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: ({ isEnabled, params }: Change) => changeSource(name, isEnabled, params),
    onSettled: () => client.invalidateQueries({ queryKey: sourcesQuery.queryKey }),
  });
  return (
    <Panel
      title={title}
      note={source.description}
      tools={
        <Switch
          source={source}
          title={title}
          isBusy={change.isPending}
          onChange={(isEnabled) => {
            change.mutate({ isEnabled });
          }}
        />
      }
    >
      {change.error !== null && (
        <ErrorBox title={`${title} was not changed`} error={change.error} />
      )}
      <StateFacts source={source} />
      <details className="table-toggle">
        <summary>Parameters</summary>
        <ParameterForm
          source={source}
          isBusy={change.isPending}
          onSave={(params) => {
            change.mutate({ isEnabled: source.is_enabled, params });
          }}
        />
      </details>
    </Panel>
  );
}

function titleOf(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function StateFacts({ source }: { source: Source }) {
  const { state } = source;
  const facts = [
    ['State', <StatusBadge key="status" status={state.status} />],
    ...(state.message === null ? [] : [['Because', state.message] as const]),
    ['Since', <Time key="since" at={state.since} />],
  ] as const;
  if (!source.is_enabled && state.frames === 0) return <Facts facts={facts} />;
  return (
    <Facts
      facts={[
        ...facts,
        ['Frames', formatCount(state.frames)],
        ['Packets', formatCount(state.packets)],
        ['Not decoded', formatCount(state.not_decoded)],
        ['Flows', formatCount(state.flows)],
        ['Verdicts', formatCount(state.verdicts)],
        ['Dropped by the kernel', formatCount(state.dropped_kernel)],
        ['Dropped by the interface', formatCount(state.dropped_interface)],
        ['Dropped by the queue', formatCount(state.dropped_queue)],
      ]}
    />
  );
}

interface SwitchProps {
  readonly source: Source;
  readonly title: string;
  readonly isBusy: boolean;
  readonly onChange: (isEnabled: boolean) => void;
}

/** Asks before it changes what the machine listens to. */
function Switch({ source, title, isBusy, onChange }: SwitchProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const wanted = !source.is_enabled;
  const verb = wanted ? 'Turn on' : 'Turn off';
  const where = source.config_params.interface ?? source.config_params.topic;
  return (
    <>
      <button
        type="button"
        className={wanted ? 'button primary' : 'button'}
        disabled={isBusy}
        onClick={() => dialog.current?.showModal()}
      >
        {verb}
      </button>
      <dialog ref={dialog} className="dialog" aria-label={`${verb} ${title}`}>
        <p>
          {wanted
            ? `${title} will read from ${formatValue(where)}, and its verdicts will be stored.`
            : `${title} will stop; the flows that go on get their verdicts first.`}
        </p>
        <form method="dialog" className="actions">
          <button
            type="submit"
            className="button primary"
            onClick={() => {
              onChange(wanted);
            }}
          >
            {verb}
          </button>
          <button type="submit" className="button">
            Cancel
          </button>
        </form>
      </dialog>
    </>
  );
}

interface FormProps {
  readonly source: Source;
  readonly isBusy: boolean;
  readonly onSave: (params: Record<string, unknown>) => void;
}

function ParameterForm({ source, isBusy, onSave }: FormProps) {
  const entries = Object.entries(source.config_params);
  const save = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const typed: Record<string, string | boolean> = {};
    for (const [name, value] of entries) {
      const field = form.get(name);
      if (typeof value === 'boolean') typed[name] = field !== null;
      else typed[name] = typeof field === 'string' ? field : '';
    }
    onSave(typedParams(source.config_params, typed));
  };
  return (
    <form className="parameter-form" onSubmit={save}>
      {entries.map(([name, value]) => (
        <label key={name} className={typeof value === 'boolean' ? 'check' : 'field'}>
          <span>{name.replaceAll('_', ' ')}</span>
          {typeof value === 'boolean' ? (
            <input type="checkbox" name={name} defaultChecked={value} />
          ) : (
            <input
              type="text"
              name={name}
              defaultValue={value === null ? '' : String(value as string | number)}
              placeholder={NO_VALUE}
              autoComplete="off"
            />
          )}
        </label>
      ))}
      <div className="actions">
        <button type="submit" className="button" disabled={isBusy}>
          Save
        </button>
      </div>
    </form>
  );
}
