import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';

export function Loading({ what }: { what: string }) {
  return (
    <p className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      Loading {what}…
    </p>
  );
}

interface ErrorBoxProps {
  readonly title: string;
  readonly error: Error;
  readonly retry?: () => void;
  readonly children?: ReactNode;
}

/** What failed, in the server's own words. */
export function ErrorBox({ title, error, retry, children }: ErrorBoxProps) {
  return (
    <div className="error-box" role="alert">
      <p className="error-title">{title}</p>
      <p className="error-detail">{error.message}</p>
      {children}
      {retry !== undefined && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Nothing to show, and what to do about it. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      <div className="empty-text">{children}</div>
    </div>
  );
}

interface AnswerProps<T> {
  readonly of: UseQueryResult<T>;
  readonly what: string;
  readonly children: (data: T) => ReactNode;
}

/**
 * The three states of a question to the server. Data that is already there
 * stays in view when a later poll fails, with the failure above it.
 */
export function Answer<T>({ of: query, what, children }: AnswerProps<T>) {
  const retry = (): void => {
    void query.refetch();
  };
  return (
    <>
      {query.error !== null && (
        <ErrorBox
          title={
            query.data === undefined
              ? `Could not load ${what}`
              : `Could not refresh ${what}; what is shown may be out of date`
          }
          error={query.error}
          retry={retry}
        />
      )}
      {query.data !== undefined && children(query.data)}
      {query.isPending && <Loading what={what} />}
    </>
  );
}
