import type { InputHTMLAttributes } from 'react';

interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange'> {
  readonly label: string;
  readonly hint?: string;
  readonly onText: (text: string) => void;
}

export function Field({ label, hint, onText, ...input }: Props) {
  return (
    <label className="field">
      <span>{label}</span>
      <input {...input} onChange={(event) => onText(event.target.value)} />
      {hint && <small>{hint}</small>}
    </label>
  );
}
