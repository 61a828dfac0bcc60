import { type SyntheticEvent, useState } from 'react';
import { sentenceFor } from './api';

/** A form's way to the server: one request at a time, and the sentence about the last one that failed. */
export function useSubmit(send: () => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setTrouble('');
    send()
      .catch((failure: unknown) => setTrouble(sentenceFor(failure)))
      .finally(() => setBusy(false));
  };
  return { busy, trouble, submit };
}
