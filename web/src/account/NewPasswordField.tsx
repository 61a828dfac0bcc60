import { Field } from './Field';

const SHORTEST = 10;
const LONGEST = 200;

interface Props {
  readonly label: string;
  readonly hint?: string;
  readonly testId: string;
  readonly value: string;
  readonly onText: (text: string) => void;
}

/** A field for a password that is to be set, with the bounds that the API has. */
export function NewPasswordField({ label, hint = '', testId, value, onText }: Props) {
  return (
    <Field
      label={label}
      type="password"
      autoComplete="new-password"
      data-testid={testId}
      value={value}
      onText={onText}
      minLength={SHORTEST}
      maxLength={LONGEST}
      hint={`${SHORTEST} characters or more. ${hint}`.trim()}
      required
    />
  );
}
