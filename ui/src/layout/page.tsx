import { type ReactNode, useEffect } from 'react';

interface Props {
  /** Name of the page in the browser's title; the heading itself may be longer. */
  readonly title: string;
  readonly heading?: ReactNode;
  readonly intro?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function Page({ title, heading, intro, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Tripline`;
  }, [title]);
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>{heading ?? title}</h1>
          {intro !== undefined && <p className="intro">{intro}</p>}
        </div>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </div>
      {children}
    </div>
  );
}
