import { useCallback, useRef, useState } from 'react';

export interface Message {
  readonly id: number;
  readonly text: string;
}

const SHOWN_MS = 9_000;

/** Short sentences over the bar that go by themselves. */
export function useMessages() {
  const next = useRef(0);
  const [items, setItems] = useState<readonly Message[]>([]);
  const dismiss = useCallback(
    (id: number) => setItems((now) => now.filter((message) => message.id !== id)),
    [],
  );
  const say = useCallback(
    (text: string) => {
      const id = next.current;
      next.current += 1;
      setItems((now) => [...now.filter((message) => message.text !== text), { id, text }]);
      setTimeout(() => dismiss(id), SHOWN_MS);
    },
    [dismiss],
  );
  return { items, say, dismiss };
}
