import { Fragment } from 'react';
import type { TrainingReport } from '../api/models.ts';
import { ConfusionTable } from '../charts/confusion-table.tsx';
import { ShareBar } from '../charts/share-bar.tsx';
import {
  formatCount,
  formatProbability,
  formatShare,
  formatValue,
  plural,
} from '../format/numbers.ts';
import { Empty } from './answer.tsx';
import { ClassMetricsTable } from './class-metrics-table.tsx';
import { Facts } from './facts.tsx';
import { FoundByLabel } from './found-by-label.tsx';
import { faceOf, figuresOf } from './model-figures.ts';
import { Panel } from './panel.tsx';
import { QualityCurves } from './quality-curves.tsx';
import { Stats } from './stat.tsx';

const MAX_IMPORTANCES = 20;

const TYPE_NAMES: Readonly<Record<string, string>> = {
  attack_namer: 'Attack namer',
  threat_detector: 'Threat detector',
  attack_classifier: 'Attack classifier',
};

export function typeName(modelType: string): string {
  return TYPE_NAMES[modelType] ?? modelType.replaceAll('_', ' ');
}

/** Every part of a training report that is there. */
export function ModelReport({ report }: { report: TrainingReport }) {
  if (isEmpty(report)) {
    return (
      <Empty title="The report of this model is empty">
        <p>Train the model again to get one.</p>
      </Empty>
    );
  }
  return (
    <>
      {report.weaknesses.length > 0 && (
        <Panel title="Known weaknesses">
          <ul className="plain-list">
            {report.weaknesses.map((weakness) => (
              <li key={weakness}>{weakness}</li>
            ))}
          </ul>
        </Panel>
      )}
      <Panel title="Measured">
        {figuresOf(report).map(({ name, stats }) => (
          <Fragment key={name}>
            <h3>On {name}</h3>
            <Stats stats={stats} />
          </Fragment>
        ))}
      </Panel>
      {report.confusion !== null && report.confusion.matrix.length > 0 && (
        <Panel title="Right and wrong" note={`On ${faceOf(report)}.`}>
          <ConfusionTable
            caption="Confusion matrix"
            classes={report.confusion.classes}
            matrix={report.confusion.matrix}
          />
          {report.per_class.length > 0 && <ClassMetricsTable rows={report.per_class} />}
        </Panel>
      )}
      <FoundByLabel report={report} />
      <Curves report={report} />
      {report.importances.length > 0 && <Importances report={report} />}
      <Panel title="How it was made">
        <Facts facts={makingFacts(report)} />
      </Panel>
    </>
  );
}

function isEmpty(report: TrainingReport): boolean {
  return (
    report.confusion === null &&
    report.per_class.length === 0 &&
    report.roc.length === 0 &&
    report.importances.length === 0 &&
    report.training === null &&
    report.test.length === 0 &&
    report.weaknesses.length === 0 &&
    Object.keys(report.rows).length === 0
  );
}

function makingFacts(report: TrainingReport): (readonly [string, string])[] {
  const facts: (readonly [string, string])[] = [];
  if (report.model !== null) facts.push(['Model', report.model]);
  if (report.schema !== null) facts.push(['Schema', report.schema]);
  if (report.task !== null) facts.push(['Task', report.task]);
  if (report.command !== null) facts.push(['Command', report.command]);
  for (const [part, rows] of Object.entries(report.rows)) {
    facts.push([`Rows, ${part.replaceAll('_', ' ')}`, formatValue(rows)]);
  }
  for (const [part, amount] of Object.entries(report.size)) {
    facts.push([`Size, ${part.replaceAll('_', ' ')}`, formatValue(amount)]);
  }
  if (report.threshold !== null) {
    const { value, method } = report.threshold;
    facts.push([
      'Threshold',
      `${formatProbability(value, 4)}${method === null ? '' : ` (${method})`}`,
    ]);
  }
  for (const { name, sha256, rows } of report.data) {
    const size = rows === null ? '' : `, ${plural(rows, 'row')}`;
    const digest = sha256 === '' ? '' : `, SHA-256 ${sha256.slice(0, 16)}…`;
    facts.push(['Data', `${name}${size}${digest}`]);
  }
  return facts;
}

function Curves({ report }: { report: TrainingReport }) {
  const { roc, pr, calibration } = report;
  if (roc.length + pr.length + calibration.length === 0) return null;
  return (
    <Panel title="Curves">
      <QualityCurves of={report} />
    </Panel>
  );
}

function Importances({ report }: { report: TrainingReport }) {
  const sorted = [...report.importances].sort((a, b) => b.importance - a.importance);
  const total = sorted.reduce((sum, item) => sum + item.importance, 0);
  const shown = sorted.slice(0, MAX_IMPORTANCES);
  const largest = shown[0]?.importance ?? 1;
  return (
    <Panel
      title="What the model looks at"
      note={
        sorted.length > shown.length
          ? `The ${formatCount(shown.length)} most important of ${formatCount(sorted.length)} features.`
          : undefined
      }
    >
      <ul className="type-bars two-columns">
        {shown.map((item) => (
          <li key={item.feature}>
            <code className="type-name">{item.feature}</code>
            <span className="type-count">
              {total === 0 ? formatValue(item.importance) : formatShare(item.importance / total)}
            </span>
            <ShareBar share={largest === 0 ? 0 : item.importance / largest} tone="total" />
          </li>
        ))}
      </ul>
    </Panel>
  );
}
