import { useQuery } from '@tanstack/react-query';
import { useLocation, useSearch } from 'wouter';
import type { ComparedModel, Comparison, Model } from '../api/models.ts';
import { comparisonQuery, modelsQuery } from '../api/queries.ts';
import { formatCount, formatMetric, formatProbability, formatShare } from '../format/numbers.ts';
import { compareHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { Field } from '../parts/field.tsx';
import { statsOf } from '../parts/model-figures.ts';
import { stageOf, titleOf } from '../parts/model-words.ts';
import { Panel } from '../parts/panel.tsx';
import { QualityCurves } from '../parts/quality-curves.tsx';
import { Scroller } from '../parts/scroller.tsx';
import { Stats } from '../parts/stat.tsx';

/** Two versions on the same labelled rows; the address says which. */
export function ComparePage() {
  const query = new URLSearchParams(useSearch());
  const [, navigate] = useLocation();
  const [a, b, data] = [query.get('a') ?? '', query.get('b') ?? '', query.get('data')];
  const models = useQuery(modelsQuery);
  const go = (one: string, other: string, on: string | null): void => {
    navigate(compareHref(one, other, on));
  };
  return (
    <Page
      title="Compare"
      intro="Two models on the same labelled rows: how good each is, and where they disagree."
    >
      <Answer of={models} what="the models">
        {(all) => (
          <Panel title="Which">
            <div className="fields">
              <ModelChoice
                label="First"
                all={all}
                value={a}
                choose={(id) => {
                  go(id, rivalOf(all, id, b), null);
                }}
              />
              <ModelChoice
                label="Second"
                all={all.filter((other) => answersAlike(all, a, other))}
                value={b}
                choose={(id) => {
                  go(a, id, null);
                }}
              />
            </div>
          </Panel>
        )}
      </Answer>
      {a === '' || b === '' ? (
        <Empty title="Choose two models">
          <p>They have to be of the same type and judge rows of the same schema.</p>
        </Empty>
      ) : (
        <Compared
          key={`${a} ${b} ${data ?? ''}`}
          a={a}
          b={b}
          data={data}
          choose={(name) => {
            go(a, b, name);
          }}
        />
      )}
    </Page>
  );
}

/** Models of one type and schema can be compared; the slot begins with both. */
function answersAlike(all: readonly Model[], a: string, other: Model): boolean {
  const first = all.find((model) => model.id === a);
  return (
    first === undefined ||
    (other.model_type === first.model_type && schemaOf(other) === schemaOf(first))
  );
}

function schemaOf(model: Model): string {
  return model.slot?.split('/')[1] ?? '';
}

function rivalOf(all: readonly Model[], a: string, b: string): string {
  const second = all.find((model) => model.id === b);
  return second !== undefined && answersAlike(all, a, second) ? b : '';
}

interface ChoiceProps {
  readonly label: string;
  readonly all: readonly Model[];
  readonly value: string;
  readonly choose: (id: string) => void;
}

function ModelChoice({ label, all, value, choose }: ChoiceProps) {
  return (
    <Field label={label}>
      {(id) => (
        <select
          id={id}
          value={value}
          onChange={(event) => {
            choose(event.target.value);
          }}
        >
          <option value="">choose a model</option>
          {all.map((model) => (
            <option key={model.id} value={model.id}>
              {titleOf(model)} {model.version} ({stageOf(model)})
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface ComparedProps {
  readonly a: string;
  readonly b: string;
  readonly data: string | null;
  readonly choose: (name: string) => void;
}

function Compared({ a, b, data, choose }: ComparedProps) {
  const comparison = useQuery(comparisonQuery(a, b, data));
  return (
    <Answer of={comparison} what="the comparison">
      {(found) => (
        <>
          <Panel
            title="Measured"
            note={`On ${formatCount(found.rows)} rows that no model was trained on, or that people labelled: ${found.data}.`}
            tools={
              <label className="choice">
                Rows
                <select
                  value={found.data}
                  onChange={(event) => {
                    choose(event.target.value);
                  }}
                >
                  {found.on.map((set) => (
                    <option key={set.name} value={set.name}>
                      {set.name}
                    </option>
                  ))}
                </select>
              </label>
            }
          >
            {[found.a, found.b].map((model, index) => (
              <div key={index}>
                <h3>{nameOf(model)}</h3>
                <Stats stats={statsOf(model.evaluation)} />
              </div>
            ))}
          </Panel>
          <Agreement of={found} />
          <BothCurves of={found} />
          <PerClass of={found} />
          <Disagreements of={found} />
        </>
      )}
    </Answer>
  );
}

function nameOf(model: ComparedModel): string {
  return `${model.name ?? 'model'} ${model.version}`;
}

function Agreement({ of: { agreement, a, b } }: { of: Comparison }) {
  const differ = agreement.only_a_right + agreement.only_b_right;
  return (
    <Panel
      title="Agreement"
      note={
        differ === 0
          ? 'On no row is only one of them right.'
          : `If both were right equally often, a split at least as uneven as this would come by chance with a probability of ${formatProbability(agreement.p_value, 4)} (McNemar's exact test).`
      }
    >
      <Stats
        stats={[
          {
            name: 'Say the same',
            value: formatShare(agreement.agreed / Math.max(1, agreement.rows)),
          },
          {
            name: 'Only the first right',
            value: formatCount(agreement.only_a_right),
            note: a.name,
          },
          {
            name: 'Only the second right',
            value: formatCount(agreement.only_b_right),
            note: b.name,
          },
          {
            name: 'Both wrong, differently',
            value: formatCount(agreement.both_wrong_differently),
          },
        ]}
      />
    </Panel>
  );
}

function BothCurves({ of: { a, b } }: { of: Comparison }) {
  const [first, second] = [a.evaluation.detector, b.evaluation.detector];
  if (first === null || second === null || first.roc.length === 0) return null;
  return (
    <Panel title="Curves">
      <QualityCurves of={first} beside={{ names: [nameOf(a), nameOf(b)], of: second }} />
    </Panel>
  );
}

interface ClassRow {
  readonly name: string;
  readonly rows: number;
  readonly a: number | null;
  readonly b: number | null;
}

/** F1 of each class; of a detector, the share of each label that it calls a threat. */
function classRows({ a, b }: Comparison): { what: string; rows: ClassRow[] } {
  const [first, second] = [a.evaluation.classifier, b.evaluation.classifier];
  if (first !== null && second !== null) {
    const rows = first.per_class.map((row) => ({
      name: row.class,
      rows: row.support,
      a: row.f1,
      b: second.per_class.find((other) => other.class === row.class)?.f1 ?? null,
    }));
    return { what: 'F1', rows };
  }
  const others = new Map(b.evaluation.by_label.map((row) => [row.label, row]));
  const rows = a.evaluation.by_label.map((row) => {
    const other = others.get(row.label);
    return {
      name: row.label,
      rows: row.rows,
      a: row.called_threat / Math.max(1, row.rows),
      b: other === undefined ? null : other.called_threat / Math.max(1, other.rows),
    };
  });
  return { what: 'Called a threat', rows };
}

function PerClass({ of }: { of: Comparison }) {
  const { what, rows } = classRows(of);
  if (rows.length === 0) return null;
  return (
    <Panel title="Class by class">
      <Scroller label="Class by class" className="tall">
        <table className="data-table">
          <caption>{what}</caption>
          <thead>
            <tr>
              <th scope="col">Class</th>
              <th scope="col" className="number">
                Rows
              </th>
              <th scope="col" className="number">
                First
              </th>
              <th scope="col" className="number">
                Second
              </th>
              <th scope="col" className="number">
                Difference
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name}>
                <th scope="row" className="breakable">
                  {row.name}
                </th>
                <td className="number">{formatCount(row.rows)}</td>
                <td className="number">{formatMetric(row.a)}</td>
                <td className="number">{formatMetric(row.b)}</td>
                <td className="number">
                  {formatMetric(row.a === null || row.b === null ? null : row.b - row.a)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </Panel>
  );
}

function Disagreements({ of: { disagreements, agreement } }: { of: Comparison }) {
  if (disagreements.length === 0) return null;
  const all = agreement.rows - agreement.agreed;
  return (
    <Panel
      title="Where they disagree"
      note={
        all > disagreements.length
          ? `The first ${formatCount(disagreements.length)} of ${formatCount(all)} rows.`
          : undefined
      }
    >
      <Scroller label="Where they disagree" className="tall">
        <table className="data-table">
          <thead>
            <tr>
              <th scope="col" className="number">
                Row
              </th>
              <th scope="col">Label</th>
              <th scope="col">First says</th>
              <th scope="col">Second says</th>
            </tr>
          </thead>
          <tbody>
            {disagreements.map((row) => (
              <tr key={row.row}>
                <td className="number">{formatCount(row.row)}</td>
                <th scope="row" className="breakable">
                  {row.label}
                </th>
                {[row.a, row.b].map((said, index) => (
                  <td key={index}>
                    {said.class}{' '}
                    <span className="muted">{formatProbability(said.probability)}</span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </Panel>
  );
}
