import { useId, useLayoutEffect, useRef } from 'react';
import type { Question } from './source-words.ts';

interface Props {
  readonly question: Question;
  readonly note?: string | undefined;
  readonly confirm: () => void;
  readonly close: () => void;
}

/** Asks before something starts or stops. Shown for as long as it is rendered. */
export function SourceDialog({ question, note, confirm, close }: Props) {
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
      className="source-dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id={`${id}-title`}>{question.title}</h2>
      <p id={`${id}-text`} className="breakable">
        {question.text}
        {note !== undefined && ` ${note}`}
      </p>
      <div className="actions">
        <button type="button" className="button" onClick={close}>
          Cancel
        </button>
        <button type="button" className="button primary" onClick={confirm}>
          {question.confirm}
        </button>
      </div>
    </dialog>
  );
}
