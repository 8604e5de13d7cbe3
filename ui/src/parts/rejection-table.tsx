import type { Rejection } from '../api/uploads.ts';
import { formatCount, NO_VALUE } from '../format/numbers.ts';
import { Scroller } from './scroller.tsx';

/** Rows that could not be read: where, and why. */
export function RejectionTable({ rejections }: { rejections: readonly Rejection[] }) {
  return (
    <Scroller label="Rejected rows" className="short">
      <table className="data-table">
        <thead>
          <tr>
            <th scope="col" className="number line">
              Line
            </th>
            <th scope="col">Column</th>
            <th scope="col">Reason</th>
          </tr>
        </thead>
        <tbody>
          {rejections.map((rejection, index) => (
            <tr key={index}>
              <td className="number">
                {rejection.line === null ? NO_VALUE : formatCount(rejection.line)}
              </td>
              <td>{rejection.column === null ? NO_VALUE : <code>{rejection.column}</code>}</td>
              <td className="breakable">{rejection.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}
