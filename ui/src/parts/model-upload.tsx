import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { uploadModel } from '../api/models.ts';
import { modelsQuery } from '../api/queries.ts';
import { modelHref } from '../layout/addresses.ts';
import { ErrorBox } from './answer.tsx';
import { useName } from './asker.ts';
import { Field, TextField } from './field.tsx';
import { titleOf } from './model-words.ts';
import { Panel } from './panel.tsx';

/** Lets a model in as a candidate; what it is, its content says. */
export function ModelUpload() {
  const client = useQueryClient();
  const [name, setName] = useName();
  const [kind, setKind] = useState('threat_detector');
  const [description, setDescription] = useState('');
  const [modelName, setModelName] = useState('');
  const [threshold, setThreshold] = useState('');
  const [profile, setProfile] = useState('');
  const [file, setFile] = useState<File | null>(null);
  const [signature, setSignature] = useState<File | null>(null);
  const upload = useMutation({
    mutationFn: async (chosen: File) => {
      const form = new FormData();
      form.append('model_type', kind);
      if (name !== '') form.append('uploaded_by', name);
      if (description !== '') form.append('description', description);
      if (modelName !== '') form.append('name', modelName);
      if (threshold !== '') form.append('threshold', threshold);
      if (profile !== '') form.append('profile_config', profile);
      if (signature !== null) form.append('signature', await signature.text());
      form.append('file', chosen, chosen.name);
      return uploadModel(form);
    },
    onSuccess: () => client.invalidateQueries({ queryKey: modelsQuery.queryKey }),
  });
  return (
    <Panel
      title="Upload a model"
      note="It is checked before anything of it is used, and judges nothing until you activate it."
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (file !== null && !upload.isPending) upload.mutate(file);
        }}
      >
        <div className="fields">
          <Field label="File">
            {(id) => (
              <input
                id={id}
                type="file"
                required
                onChange={(event) => {
                  setFile(event.target.files?.[0] ?? null);
                }}
              />
            )}
          </Field>
          <Field label="What it is for">
            {(id) => (
              <select
                id={id}
                value={kind}
                onChange={(event) => {
                  setKind(event.target.value);
                }}
              >
                <option value="threat_detector">Threat detector</option>
                <option value="attack_classifier">Attack classifier</option>
                <option value="attack_namer">Attack namer</option>
              </select>
            )}
          </Field>
          <TextField label="Your name" value={name} onChange={setName} />
          <TextField label="Description" value={description} onChange={setDescription} />
          <Field label="Signature" hint="The .minisig file, where there is one.">
            {(id) => (
              <input
                id={id}
                type="file"
                onChange={(event) => {
                  setSignature(event.target.files?.[0] ?? null);
                }}
              />
            )}
          </Field>
        </div>
        <details className="table-toggle">
          <summary>For a file of another program (ONNX, XGBoost, LightGBM)</summary>
          <div className="fields">
            <TextField label="Name" value={modelName} onChange={setModelName} />
            <TextField
              label="Threshold"
              hint="A detector's decision line, 0 to 1; one half when empty."
              value={threshold}
              onChange={setThreshold}
            />
            <TextField
              label="Columns and classes"
              hint='{"expected_features": […], "class_labels": […]}, in the order of the file'
              value={profile}
              onChange={setProfile}
            />
          </div>
        </details>
        <button
          type="submit"
          className="button primary"
          aria-disabled={upload.isPending || file === null}
        >
          {upload.isPending ? 'Checking…' : 'Upload'}
        </button>
      </form>
      <p role="status" className="source-progress">
        {upload.isSuccess && (
          <>
            <Link href={modelHref(upload.data.id)}>{titleOf(upload.data)}</Link> is in the registry
            as a candidate.
          </>
        )}
      </p>
      {upload.error !== null && (
        <ErrorBox title="The model was not accepted" error={upload.error} />
      )}
    </Panel>
  );
}
