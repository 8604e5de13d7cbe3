import type { Evaluation, TrainingReport } from '../api/models.ts';
import type { ClassifierMetrics } from '../api/uploads.ts';
import { accuracyOf, macroMean } from '../charts/confusion-metrics.ts';
import { formatMetric, formatShare } from '../format/numbers.ts';
import type { StatProps } from './stat.tsx';

/** A set of labelled rows and the headline figures of a model on it. */
export interface Figures {
  readonly name: string;
  readonly stats: readonly StatProps[];
}

const HELD_OUT = 'held-out training rows';

interface DetectorFigures {
  readonly f1: number | null;
  readonly recall: number | null;
  readonly false_positive_rate: number | null;
  readonly roc_auc: number | null;
  readonly expected_calibration_error: number | null;
}

function ofDetector(figures: DetectorFigures): StatProps[] {
  return [
    { name: 'F1', value: formatMetric(figures.f1) },
    { name: 'Recall', value: formatMetric(figures.recall) },
    { name: 'False positive rate', value: formatShare(figures.false_positive_rate) },
    { name: 'ROC AUC', value: formatMetric(figures.roc_auc) },
    { name: 'Calibration error', value: formatMetric(figures.expected_calibration_error) },
  ];
}

function ofClassifier(metrics: ClassifierMetrics): StatProps[] {
  return [
    { name: 'Accuracy', value: formatMetric(metrics.accuracy) },
    { name: 'Macro F1', value: formatMetric(metrics.macro_f1) },
  ];
}

/** The headline figures of one evaluation. */
export function statsOf(evaluation: Evaluation): StatProps[] {
  return [
    ...(evaluation.detector === null ? [] : ofDetector(evaluation.detector)),
    ...(evaluation.classifier === null ? [] : ofClassifier(evaluation.classifier)),
  ];
}

/** The figures of every set the model was measured on: sealed test sets first. */
export function figuresOf(report: TrainingReport): Figures[] {
  const { training, cross_validation: crossValidation, test } = report;
  const result: Figures[] = [];
  for (const evaluation of [...test, ...(crossValidation === null ? [] : [crossValidation])]) {
    const stats = statsOf(evaluation);
    if (stats.length > 0) result.push({ name: evaluation.name, stats });
  }
  if (training !== null) {
    result.push({ name: training.what ?? HELD_OUT, stats: ofDetector(training) });
  }
  if (result.length === 0 && report.confusion !== null) {
    result.push({
      name: HELD_OUT,
      stats: [
        { name: 'Accuracy', value: formatMetric(accuracyOf(report.confusion.matrix)) },
        { name: 'Macro F1', value: formatMetric(macroMean(report.per_class.map((row) => row.f1))) },
      ],
    });
  }
  return result;
}

/** The rows that the confusion matrix and the curves of a report are of. */
export function faceOf(report: TrainingReport): string {
  return report.test[0]?.name ?? report.cross_validation?.name ?? report.training?.what ?? HELD_OUT;
}
