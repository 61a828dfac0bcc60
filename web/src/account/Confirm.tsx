import { type ReactNode, useEffect, useRef } from 'react';

interface Props {
  readonly question: string;
  readonly action: string;
  readonly children: ReactNode;
  /** The person has decided to act; the dialog is closed already, so that focus and live regions work again. */
  readonly onAct: () => void;
  readonly onClosed: () => void;
}

/** Asks before what cannot be undone. The browser keeps the focus inside, and gives it back on Escape. */
export function Confirm({ question, action, children, onAct, onClosed }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const open = dialog.current;
    open?.showModal();
    return () => open?.close();
  }, []);
  const act = () => {
    dialog.current?.close();
    onAct();
  };
  return (
    <dialog
      ref={dialog}
      className="account-card confirm"
      aria-labelledby="confirm-question"
      aria-describedby="confirm-text"
      onClose={onClosed}
    >
      <h3 id="confirm-question">{question}</h3>
      <p id="confirm-text">{children}</p>
      <div className="confirm-actions">
        <button type="button" className="button button-quiet" autoFocus onClick={() => dialog.current?.close()}>
          Cancel
        </button>
        <button type="button" className="button button-danger" onClick={act}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
