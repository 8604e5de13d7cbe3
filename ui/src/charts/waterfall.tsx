import type { Stage } from '../api/verdicts.ts';
import {
  formatContribution,
  formatMargin,
  formatProbability,
  formatValue,
  shorten,
} from '../format/numbers.ts';
import { linearScale, padded, type Scale, ticks } from './scale.ts';
import { useWidth } from './use-width.ts';
import {
  layOutWaterfall,
  thresholdOnAxis,
  type Waterfall,
  type WaterfallStep,
} from './waterfall-geometry.ts';

const MAX_FEATURES = 12;
const BAR_HEIGHT = 16;
const AXIS_HEIGHT = 26;
/** Below this width the labels move above their bars. */
const WIDE = 620;
const LABEL_WIDTH = 270;
const NUMBER_ROOM = 58;
const LETTER_WIDTH = 7.2;

interface Frame {
  readonly width: number;
  readonly wide: boolean;
  readonly rowHeight: number;
  readonly x: Scale;
}

/** How each feature moved a stage's margin from its base value to its result. */
export function WaterfallChart({ stage }: { stage: Stage }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const waterfall = layOutWaterfall({
    baseValue: stage.base_value,
    margin: stage.margin,
    contributions: stage.contributions,
    maxFeatures: MAX_FEATURES,
  });
  return (
    <div ref={ref} className="chart-box">
      {width > 0 && <WaterfallSvg stage={stage} waterfall={waterfall} width={width} />}
      {waterfall.gap !== 0 && (
        <p className="warning-note">
          The contributions do not add up to the margin: {formatContribution(waterfall.gap)} is
          missing. Treat this explanation with care.
        </p>
      )}
    </div>
  );
}

function WaterfallSvg(props: { stage: Stage; waterfall: Waterfall; width: number }) {
  const { stage, waterfall, width } = props;
  const threshold = thresholdOnAxis(stage);
  const marks = threshold === null ? [] : [threshold];
  const domain = padded(
    [Math.min(waterfall.domain[0], ...marks), Math.max(waterfall.domain[1], ...marks)],
    0.02,
  );
  const wide = width >= WIDE;
  const left = (wide ? LABEL_WIDTH : 0) + NUMBER_ROOM;
  const frame: Frame = {
    width,
    wide,
    rowHeight: wide ? 26 : 42,
    x: linearScale(domain, [left, width - NUMBER_ROOM]),
  };
  const rows = waterfall.steps.length + 2;
  const bottom = rows * frame.rowHeight;
  const height = bottom + AXIS_HEIGHT;
  const { x } = frame;
  return (
    <svg
      className="waterfall"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`From the base value ${formatMargin(stage.base_value)} the features move the ${stage.output} for ${stage.class ?? 'this class'} to ${formatMargin(stage.margin)}. The table below lists every contribution.`}
      data-stage={stage.stage}
      data-base={stage.base_value}
      data-margin={stage.margin}
    >
      {ticks(domain, wide ? 6 : 4).map((tick) => (
        <g key={tick}>
          <line className="grid-line" x1={x(tick)} x2={x(tick)} y1={0} y2={bottom} />
          <text className="axis-text" x={x(tick)} y={bottom + 18} textAnchor="middle">
            {Number(tick.toPrecision(6)).toString().replace('-', '−')}
          </text>
        </g>
      ))}
      {threshold !== null && (
        <line className="threshold-line" x1={x(threshold)} x2={x(threshold)} y1={0} y2={bottom}>
          <title>{`Threshold ${formatProbability(stage.threshold)}`}</title>
        </line>
      )}
      <EndRow frame={frame} row={0} label="Base value" at={stage.base_value} />
      {waterfall.steps.map((step, index) => (
        <StepRow key={step.label} frame={frame} row={index + 1} step={step} />
      ))}
      <EndRow frame={frame} row={rows - 1} label="Margin" at={stage.margin} />
    </svg>
  );
}

/** The base value at the top and the margin at the bottom: a mark, not a bar. */
function EndRow(props: { frame: Frame; row: number; label: string; at: number }) {
  const { frame, row, label, at } = props;
  const centre = barCentre(frame, row);
  const x = frame.x(at);
  return (
    <g className="waterfall-end">
      <RowLabel frame={frame} row={row} text={label} whole={label} strong />
      <circle cx={x} cy={centre} r={4.5} />
      <text className="bar-number" x={x + 9} y={centre + 4}>
        {formatMargin(at)}
      </text>
    </g>
  );
}

function StepRow({ frame, row, step }: { frame: Frame; row: number; step: WaterfallStep }) {
  const centre = barCentre(frame, row);
  const from = frame.x(step.from);
  const to = frame.x(step.to);
  const up = step.contribution >= 0;
  const text = stepLabel(step, Infinity);
  return (
    <g>
      <RowLabel frame={frame} row={row} text={stepLabel(step, labelLetters(frame))} whole={text} />
      <line className="connector" x1={from} x2={from} y1={centre - frame.rowHeight} y2={centre} />
      <rect
        className={`waterfall-bar ${up ? 'raises' : 'lowers'}`}
        x={Math.min(from, to)}
        y={centre - BAR_HEIGHT / 2}
        width={Math.max(1, Math.abs(to - from))}
        height={BAR_HEIGHT}
        rx={2}
        data-from={step.from}
        data-to={step.to}
        data-contribution={step.contribution}
      >
        <title>{`${text}: ${formatContribution(step.contribution)}`}</title>
      </rect>
      <text
        className="bar-number"
        x={up ? Math.max(from, to) + 6 : Math.min(from, to) - 6}
        y={centre + 4}
        textAnchor={up ? 'start' : 'end'}
      >
        {formatContribution(step.contribution)}
      </text>
    </g>
  );
}

function RowLabel(props: {
  frame: Frame;
  row: number;
  text: string;
  whole: string;
  strong?: boolean;
}) {
  const { frame, row, text, whole, strong } = props;
  return (
    <text
      className={strong === true ? 'row-label strong' : 'row-label'}
      x={frame.wide ? LABEL_WIDTH - 12 : 0}
      y={frame.wide ? barCentre(frame, row) + 4 : row * frame.rowHeight + 14}
      textAnchor={frame.wide ? 'end' : 'start'}
    >
      {text}
      <title>{whole}</title>
    </text>
  );
}

/** "flag = S0"; where room is short the name is cut and not the value. */
function stepLabel(step: WaterfallStep, maxLetters: number): string {
  if (step.kind === 'others') return step.label;
  const value = shorten(formatValue(step.value), maxLetters / 2);
  return `${shorten(step.label, maxLetters - value.length - 3)} = ${value}`;
}

function labelLetters(frame: Frame): number {
  return Math.floor((frame.wide ? LABEL_WIDTH - 12 : frame.width) / LETTER_WIDTH);
}

function barCentre(frame: Frame, row: number): number {
  const top = row * frame.rowHeight;
  return frame.wide ? top + frame.rowHeight / 2 : top + frame.rowHeight - BAR_HEIGHT / 2 - 3;
}
