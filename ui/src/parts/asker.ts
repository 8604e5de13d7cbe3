import { useState } from 'react';

const KEY = 'tripline-name';

/** The name under which the reader acts; nobody logs in, so it is what they say. */
export function useName(): [string, (name: string) => void] {
  const [name, setName] = useState(read);
  return [
    name,
    (next) => {
      setName(next);
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // Without storage the name is asked for again next time.
      }
    },
  ];
}

function read(): string {
  try {
    return localStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}
