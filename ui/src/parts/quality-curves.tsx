import { CurveChart } from '../charts/curve-chart.tsx';

/** The curves of a detector on labelled rows. */
export interface CurvesOf {
  readonly roc: readonly (readonly number[])[];
  readonly pr: readonly (readonly number[])[];
  readonly calibration: readonly { readonly mean_predicted: number; readonly observed: number }[];
}

interface Props {
  readonly of: CurvesOf;
  /** Names of both, and the second one's curves. */
  readonly beside?: { readonly names: readonly [string, string]; readonly of: CurvesOf };
}

const DRAWINGS = [
  {
    title: 'ROC curve',
    xLabel: 'false positive rate',
    yLabel: 'true positive rate',
    points: (curves: CurvesOf) => pairs(curves.roc),
    diagonal: true,
    dots: false,
  },
  {
    title: 'Precision and recall',
    xLabel: 'recall',
    yLabel: 'precision',
    points: (curves: CurvesOf) => pairs(curves.pr),
    diagonal: false,
    dots: false,
  },
  {
    title: 'Calibration',
    xLabel: 'predicted probability',
    yLabel: 'observed share',
    points: (curves: CurvesOf) =>
      curves.calibration.map((bin) => [bin.mean_predicted, bin.observed] as const),
    diagonal: true,
    dots: true,
  },
];

/** ROC, precision and recall, calibration; of one model or of two in one drawing. */
export function QualityCurves({ of, beside }: Props) {
  return (
    <div className="curves">
      {DRAWINGS.map(({ points, ...drawing }) => {
        const own = points(of);
        if (own.length === 0) return null;
        return (
          <CurveChart
            key={drawing.title}
            {...drawing}
            points={own}
            {...(beside === undefined
              ? {}
              : {
                  name: beside.names[0],
                  other: { name: beside.names[1], points: points(beside.of) },
                })}
          />
        );
      })}
    </div>
  );
}

function pairs(points: readonly (readonly number[])[]): (readonly [number, number])[] {
  return points.flatMap(([x, y]) => (x === undefined || y === undefined ? [] : [[x, y] as const]));
}
