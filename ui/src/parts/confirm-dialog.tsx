import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';

/** What is asked before something is done. */
export interface Question {
  readonly title: string;
  readonly text: string;
  readonly confirm: string;
}

interface Props {
  readonly question: Question;
  readonly note?: string | undefined;
  /** Fields that belong to the answer. */
  readonly children?: ReactNode;
  readonly confirm: () => void;
  readonly close: () => void;
}

/** Asks before something changes. Shown for as long as it is rendered. */
export function ConfirmDialog({ question, note, children, confirm, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();

  // Before the paint, and before the element is gone: closing gives the focus back.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => {
      element?.close();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      className="confirm-dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          confirm();
        }}
      >
        <h2 id={`${id}-title`}>{question.title}</h2>
        <p id={`${id}-text`} className="breakable">
          {question.text}
          {note !== undefined && ` ${note}`}
        </p>
        {children}
        <div className="actions">
          <button type="button" className="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="button primary">
            {question.confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}
