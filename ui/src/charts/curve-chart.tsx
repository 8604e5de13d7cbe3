import { useId } from 'react';
import { linearScale } from './scale.ts';

const SIZE = 300;
const LEFT = 40;
const BOTTOM = 34;
const EDGE = 10;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
/** Points listed in the table view; a curve may have thousands. */
const TABLE_POINTS = 21;

type Points = readonly (readonly [number, number])[];

interface Props {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: Points;
  /** What the points are of, when there is another curve beside them. */
  readonly name?: string;
  readonly other?: { readonly name: string; readonly points: Points };
  /** What a useless (ROC) or a perfect (calibration) model draws. */
  readonly diagonal: boolean;
  readonly dots: boolean;
}

/** A curve in the unit square, with its points as a table. */
export function CurveChart({ title, xLabel, yLabel, points, name, other, diagonal, dots }: Props) {
  const titleId = useId();
  const x = linearScale([0, 1], [LEFT, SIZE - EDGE]);
  const y = linearScale([0, 1], [SIZE - BOTTOM, EDGE]);
  const curves = [
    { name: name ?? title, points, kind: '' },
    ...(other === undefined ? [] : [{ ...other, kind: 'second' }]),
  ];
  return (
    <figure className="curve">
      <figcaption id={titleId}>{title}</figcaption>
      <svg viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-labelledby={titleId}>
        {TICKS.map((tick) => (
          <g key={tick}>
            <line className="grid-line" x1={x(tick)} x2={x(tick)} y1={y(0)} y2={y(1)} />
            <line className="grid-line" x1={x(0)} x2={x(1)} y1={y(tick)} y2={y(tick)} />
            <text className="axis-text" x={x(tick)} y={SIZE - BOTTOM + 14} textAnchor="middle">
              {tick}
            </text>
            <text className="axis-text" x={LEFT - 6} y={y(tick) + 4} textAnchor="end">
              {tick}
            </text>
          </g>
        ))}
        {diagonal && <line className="reference-line" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />}
        {curves.map((curve) => (
          <g key={curve.kind} className={curve.kind}>
            <polyline
              className="curve-line"
              points={curve.points.map(([px, py]) => `${x(px)},${y(py)}`).join(' ')}
            />
            {dots &&
              curve.points.map(([px, py], index) => (
                <circle className="curve-dot" key={index} cx={x(px)} cy={y(py)} r={3.5} />
              ))}
          </g>
        ))}
        <text className="axis-text" x={(LEFT + SIZE - EDGE) / 2} y={SIZE - 4} textAnchor="middle">
          {xLabel}
        </text>
        <text
          className="axis-text"
          transform={`translate(10 ${(EDGE + SIZE - BOTTOM) / 2}) rotate(-90)`}
          textAnchor="middle"
        >
          {yLabel}
        </text>
      </svg>
      {other !== undefined && (
        <p className="curve-key">
          {curves.map((curve) => (
            <span key={curve.kind} className={curve.kind}>
              {curve.name}
            </span>
          ))}
        </p>
      )}
      <details>
        <summary>{title} as a table</summary>
        {curves.map((curve) => (
          <PointTable
            key={curve.kind}
            caption={curve.name}
            xLabel={xLabel}
            yLabel={yLabel}
            points={curve.points}
          />
        ))}
      </details>
    </figure>
  );
}

interface TableProps {
  readonly caption: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: Points;
}

function PointTable({ caption, xLabel, yLabel, points }: TableProps) {
  const step = Math.max(1, Math.ceil(points.length / TABLE_POINTS));
  const listed = points.filter((_, index) => index % step === 0 || index === points.length - 1);
  return (
    <table className="data-table compact">
      <caption>{caption}</caption>
      <thead>
        <tr>
          <th scope="col" className="number">
            {xLabel}
          </th>
          <th scope="col" className="number">
            {yLabel}
          </th>
        </tr>
      </thead>
      <tbody>
        {listed.map(([px, py], index) => (
          <tr key={index}>
            <td className="number">{px.toFixed(4)}</td>
            <td className="number">{py.toFixed(4)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
