import type { ReactNode } from 'react';

/** A box for wide content: it scrolls inside itself, by keyboard too, and never widens the page. */
export function Scroller(props: { label: string; children: ReactNode; className?: string }) {
  return (
    <div
      className={`scroller ${props.className ?? ''}`}
      role="region"
      aria-label={props.label}
      tabIndex={0}
    >
      {props.children}
    </div>
  );
}
