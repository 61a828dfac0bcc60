import { useEffect, useState } from 'react';
import { type AccountLink, call, sentenceFor } from './api';
import { EmailField, NameField } from './NewAccountFields';
import { NewPasswordField } from './NewPasswordField';
import { Trouble } from './Trouble';
import { useSubmit } from './useSubmit';

/** The page of an account link, whose secret stands behind the #. */
export function Welcome() {
  const [secret] = useState(() => location.hash.slice(1));
  const [link, setLink] = useState<AccountLink>();
  const [refusal, setRefusal] = useState('');
  useEffect(() => {
    call<AccountLink>('POST', '/auth/links', { secret: secret || '-' })
      .then(setLink)
      .catch((failure: unknown) => setRefusal(sentenceFor(failure)));
  }, [secret]);
  if (refusal) {
    return (
      <div className="account-card" data-testid="link-refused">
        <h2>This link does not work</h2>
        <p>{refusal}</p>
        <a className="button button-quiet" href="/sign-in">
          Sign in
        </a>
      </div>
    );
  }
  return link ? <SetPassword secret={secret} link={link} /> : <div className="spinner" role="status" />;
}

function SetPassword({ secret, link }: { readonly secret: string; readonly link: AccountLink }) {
  const makes = link.purpose === 'first_owner';
  const [email, setEmail] = useState(link.email ?? '');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { busy, trouble, submit } = useSubmit(async () => {
    await call('POST', '/auth/links/use', {
      secret,
      password,
      ...(makes && { email }),
      ...(name.trim() && { name: name.trim() }),
    });
    location.assign('/account');
  });
  return (
    <form className="account-card" onSubmit={submit} data-testid="welcome">
      <h2>{makes ? 'Make your account' : 'Set your password'}</h2>
      {makes && <p>You will own the first organisation and operate this installation.</p>}
      {makes && <NameField value={name} onText={setName} />}
      <EmailField value={email} onText={setEmail} fixed={!makes} />
      <NewPasswordField
        label="Password"
        hint="A sentence is easier to keep in mind than signs."
        testId="password"
        value={password}
        onText={setPassword}
      />
      <Trouble text={trouble} />
      <button type="submit" className="button" data-testid="submit" disabled={busy}>
        {makes ? 'Make the account' : 'Set the password'}
      </button>
    </form>
  );
}
