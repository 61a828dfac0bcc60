import { Field } from './Field';

interface NameProps {
  readonly value: string;
  readonly onText: (text: string) => void;
}

/** The name of a user who makes an account. */
export function NameField({ value, onText }: NameProps) {
  return (
    <Field
      label="Your name"
      autoComplete="name"
      maxLength={200}
      data-testid="name"
      value={value}
      onText={onText}
      required
      autoFocus
    />
  );
}

/** The e-mail that a new account signs in with; fixed when the link is for one e-mail alone. */
export function EmailField({ value, onText, fixed }: NameProps & { readonly fixed: boolean }) {
  return (
    <Field
      label="E-mail"
      type="email"
      autoComplete="username"
      data-testid="email"
      value={value}
      onText={onText}
      readOnly={fixed}
      required
    />
  );
}
