import { type DragEvent, useState } from 'react';

/** A place to drop a file on, with an ordinary file button for everyone else. */
export function DropZone({ onFile }: { onFile: (file: File) => void }) {
  const [over, setOver] = useState(false);

  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file !== undefined) onFile(file);
  };

  return (
    <div
      className={over ? 'drop-zone over' : 'drop-zone'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => {
        setOver(false);
      }}
      onDrop={drop}
    >
      <svg viewBox="0 0 48 48" aria-hidden="true" focusable="false">
        <path d="M24 32V12m0 0-8 8m8-8 8 8M8 32v6h32v-6" />
      </svg>
      <p className="drop-title">Drop a CSV file or a capture here</p>
      <p className="muted">or</p>
      <label className="button primary file-button">
        Choose a file
        <input
          type="file"
          accept=".csv,text/csv,.pcap,.pcapng,.cap,.gz,.zst"
          onChange={(event) => {
            const file = event.target.files?.[0];
            if (file !== undefined) onFile(file);
          }}
        />
      </label>
    </div>
  );
}
