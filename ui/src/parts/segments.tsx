import { useId } from 'react';

interface Props {
  readonly legend: string;
  readonly options: readonly { readonly value: number; readonly name: string }[];
  readonly value: number;
  readonly onChange: (value: number) => void;
}

/** A choice of a few, as native radio buttons: arrow keys work without any code. */
export function Segments({ legend, options, value, onChange }: Props) {
  const name = useId();
  return (
    <fieldset className="segments">
      <legend className="visually-hidden">{legend}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => {
              onChange(option.value);
            }}
          />
          <span>{option.name}</span>
        </label>
      ))}
    </fieldset>
  );
}
