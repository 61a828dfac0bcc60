import { useState } from 'react';
import { call } from './api';
import { Field } from './Field';
import { nextPage } from './next';
import { Trouble } from './Trouble';
import { useSubmit } from './useSubmit';

export function SignIn() {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { busy, trouble, submit } = useSubmit(async () => {
    await call('POST', '/auth/sign-in', { email, password });
    location.assign(nextPage(location));
  });
  return (
    <form className="account-card" onSubmit={submit} data-testid="sign-in">
      <h2>Sign in</h2>
      <Field
        label="E-mail"
        type="email"
        autoComplete="username"
        data-testid="email"
        value={email}
        onText={setEmail}
        required
        autoFocus
      />
      <Field
        label="Password"
        type="password"
        autoComplete="current-password"
        data-testid="password"
        value={password}
        onText={setPassword}
        required
      />
      <Trouble text={trouble} />
      <button type="submit" className="button" data-testid="submit" disabled={busy || !email || !password}>
        {busy ? 'Signing in…' : 'Sign in'}
      </button>
      <p className="account-hint">Forgotten your password? An operator can send you a link that sets a new one.</p>
    </form>
  );
}
