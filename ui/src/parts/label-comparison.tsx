import type { BatchReport, DetectorMetrics } from '../api/uploads.ts';
import { ConfusionTable } from '../charts/confusion-table.tsx';
import { formatMetric, formatShare, plural } from '../format/numbers.ts';
import { ClassMetricsTable } from './class-metrics-table.tsx';
import { Panel } from './panel.tsx';
import { Stats } from './stat.tsx';

/** Verdicts against the true labels of the file. */
export function LabelComparison(props: { labelled: NonNullable<BatchReport['labelled']> }) {
  const { rows, detector, classifier } = props.labelled;
  return (
    <>
      {detector !== null && (
        <Panel
          title="Threat or not, against the labels"
          note={`${plural(rows, 'row')} of this file carried a true label.`}
        >
          <DetectorResult detector={detector} />
        </Panel>
      )}
      {classifier !== null && (
        <Panel title="Attack class, against the labels">
          <Stats
            stats={[
              { name: 'Accuracy', value: formatMetric(classifier.accuracy) },
              { name: 'Macro F1', value: formatMetric(classifier.macro_f1) },
            ]}
          />
          <ConfusionTable
            caption="Confusion matrix of the classes"
            classes={classifier.classes}
            matrix={classifier.matrix}
          />
          <ClassMetricsTable rows={classifier.per_class} />
        </Panel>
      )}
    </>
  );
}

function DetectorResult({ detector }: { detector: DetectorMetrics }) {
  return (
    <>
      <Stats
        stats={[
          { name: 'Accuracy', value: formatMetric(detector.accuracy) },
          { name: 'Precision', value: formatMetric(detector.precision) },
          { name: 'Recall', value: formatMetric(detector.recall) },
          { name: 'F1', value: formatMetric(detector.f1) },
          { name: 'False positive rate', value: formatShare(detector.false_positive_rate) },
        ]}
      />
      <ConfusionTable
        caption="Confusion matrix of the detector"
        classes={['normal', 'attack']}
        matrix={[
          [detector.true_negative, detector.false_positive],
          [detector.false_negative, detector.true_positive],
        ]}
      />
    </>
  );
}
