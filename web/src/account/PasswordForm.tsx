import { useState } from 'react';
import { call } from './api';
import { Field } from './Field';
import { NewPasswordField } from './NewPasswordField';
import { Trouble } from './Trouble';
import { useSubmit } from './useSubmit';

export function PasswordForm({ email }: { readonly email: string }) {
  const [current, setCurrent] = useState('');
  const [wanted, setWanted] = useState('');
  const [done, setDone] = useState(false);
  const { busy, trouble, submit } = useSubmit(async () => {
    setDone(false);
    await call('POST', '/auth/password', { currentPassword: current, newPassword: wanted });
    setCurrent('');
    setWanted('');
    setDone(true);
  });
  return (
    <form className="account-card" onSubmit={submit} data-testid="password-form">
      <h3>Password</h3>
      <input type="hidden" autoComplete="username" value={email} readOnly />
      <Field
        label="Current password"
        type="password"
        autoComplete="current-password"
        data-testid="current-password"
        value={current}
        onText={setCurrent}
        required
      />
      <NewPasswordField
        label="New password"
        hint="Every other browser is signed out."
        testId="new-password"
        value={wanted}
        onText={setWanted}
      />
      <Trouble text={trouble} />
      <p role="status" className="form-done" hidden={!done}>
        Your password is changed.
      </p>
      <button type="submit" className="button" data-testid="change-password" disabled={busy || !current || !wanted}>
        Change password
      </button>
    </form>
  );
}
