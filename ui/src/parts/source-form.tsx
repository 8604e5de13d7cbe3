import { type ReactNode, useId } from 'react';
import {
  CAPTURE_FIELDS,
  type Config,
  type Draft,
  draftChanges,
  fieldIsOn,
  fieldText,
  type SourceField,
} from './source-fields.ts';

interface Props {
  readonly title: string;
  readonly config: Config;
  readonly draft: Draft;
  readonly isEnabled: boolean;
  /** The setting that the server refused, and the element with its words. */
  readonly refused: string | null;
  readonly errorId: string;
  readonly error: ReactNode;
  readonly edit: (draft: Draft) => void;
  readonly save: () => void;
}

/** The settings of the capture. What can be accepted is the server's to say. */
export function SourceForm(props: Props) {
  const { title, config, draft, isEnabled, refused, errorId, error, edit, save } = props;
  const isChanged = Object.keys(draftChanges(config, draft)).length > 0;
  return (
    <form
      className="source-form"
      aria-label={`Settings of ${title}`}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (isChanged) save();
      }}
    >
      <h3>Settings</h3>
      {error}
      <div className="source-fields">
        {CAPTURE_FIELDS.map((field) => (
          <Field
            key={field.name}
            field={field}
            config={config}
            draft={draft}
            errorId={refused === field.name ? errorId : null}
            edit={(value) => {
              edit({ ...draft, [field.name]: value });
            }}
          />
        ))}
      </div>
      <div className="actions">
        {/* A disabled button would lose the focus that it has after saving. */}
        <button type="submit" className="button primary" aria-disabled={!isChanged}>
          {isEnabled ? 'Apply settings' : 'Save settings'}
        </button>
        <button
          type="button"
          className="button"
          aria-disabled={Object.keys(draft).length === 0}
          onClick={() => {
            edit({});
          }}
        >
          Discard changes
        </button>
      </div>
    </form>
  );
}

interface FieldProps {
  readonly field: SourceField;
  readonly config: Config;
  readonly draft: Draft;
  readonly errorId: string | null;
  readonly edit: (value: string | boolean) => void;
}

function Field({ field, config, draft, errorId, edit }: FieldProps) {
  const id = useId();
  const { name, label, hint, kind } = field;
  const marks = {
    id,
    name,
    'aria-invalid': errorId !== null,
    'aria-describedby': errorId === null ? `${id}-hint` : `${id}-hint ${errorId}`,
  };
  return (
    <div className={field.isWide === true ? 'source-field wide' : 'source-field'}>
      {kind === 'check' ? (
        <label className="check">
          <input
            {...marks}
            type="checkbox"
            checked={fieldIsOn(config, draft, name)}
            onChange={(event) => {
              edit(event.target.checked);
            }}
          />
          {label}
        </label>
      ) : (
        <>
          <label htmlFor={id}>{label}</label>
          <input
            {...marks}
            type="text"
            inputMode={kind === 'number' ? 'decimal' : 'text'}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            value={fieldText(config, draft, name)}
            onChange={(event) => {
              edit(event.target.value);
            }}
          />
        </>
      )}
      <p id={`${id}-hint`} className="source-hint">
        {hint}
      </p>
    </div>
  );
}
