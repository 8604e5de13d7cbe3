import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { changeTexts, type Model } from '../api/models.ts';
import { modelsQuery } from '../api/queries.ts';
import { ErrorBox } from './answer.tsx';
import { Field, TextField } from './field.tsx';
import { Panel } from './panel.tsx';

/** Description, notes and tags of a model. */
export function ModelTextsForm({ model }: { model: Model }) {
  const client = useQueryClient();
  const [description, setDescription] = useState(model.description ?? '');
  const [notes, setNotes] = useState(model.notes);
  const [tags, setTags] = useState(model.tags.join(', '));
  const save = useMutation({
    mutationFn: () =>
      changeTexts(model.id, {
        description,
        notes,
        tags: tags
          .split(',')
          .map((tag) => tag.trim())
          .filter((tag) => tag !== ''),
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: modelsQuery.queryKey }),
  });
  return (
    <Panel title="Notes">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!save.isPending) save.mutate();
        }}
      >
        <div className="fields">
          <TextField label="Description" value={description} onChange={setDescription} />
          <TextField label="Tags" hint="Separated by commas." value={tags} onChange={setTags} />
        </div>
        <Field label="Notes">
          {(id) => (
            <textarea
              id={id}
              value={notes}
              onChange={(event) => {
                setNotes(event.target.value);
              }}
            />
          )}
        </Field>
        <button type="submit" className="button" aria-disabled={save.isPending}>
          Save
        </button>
      </form>
      <p role="status" className="source-progress">
        {save.isSuccess && 'Saved.'}
      </p>
      {save.error !== null && <ErrorBox title="This was not saved" error={save.error} />}
    </Panel>
  );
}
