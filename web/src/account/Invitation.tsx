import { useEffect, useState } from 'react';
import { call, isSignedOut, type Me, sentenceFor, type User } from './api';
import { EmailField, NameField } from './NewAccountFields';
import { NewPasswordField } from './NewPasswordField';
import { Trouble } from './Trouble';
import { useSubmit } from './useSubmit';

interface Invited {
  readonly organisation: string;
  readonly role: string;
  readonly email: string | null;
}

interface Props {
  readonly secret: string;
  readonly invited: Invited;
}

/** Who is signed in here, if there is a session. */
async function signedIn(): Promise<User | null> {
  try {
    return (await call<Me>('GET', '/me')).user;
  } catch (failure) {
    if (isSignedOut(failure)) return null;
    throw failure;
  }
}

/** The page of an invitation, whose secret stands behind the #. */
export function Invitation() {
  const [secret] = useState(() => location.hash.slice(1));
  const [invited, setInvited] = useState<Invited>();
  const [user, setUser] = useState<User | null>();
  const [refusal, setRefusal] = useState('');
  useEffect(() => {
    Promise.all([call<Invited>('POST', '/auth/invitations', { secret: secret || '-' }), signedIn()])
      .then(([found, who]) => {
        setInvited(found);
        setUser(who);
      })
      .catch((failure: unknown) => setRefusal(sentenceFor(failure)));
  }, [secret]);
  if (refusal) {
    return (
      <div className="account-card" data-testid="link-refused">
        <h2>This invitation does not work</h2>
        <p>{refusal}</p>
      </div>
    );
  }
  if (!invited || user === undefined) return <div className="spinner" role="status" />;
  return user ? (
    <Accept secret={secret} invited={invited} user={user} />
  ) : (
    <SignUp secret={secret} invited={invited} />
  );
}

function Heading({ invited }: { readonly invited: Invited }) {
  return (
    <>
      <h2>Join {invited.organisation}</h2>
      <p>You are invited as {invited.role}.</p>
    </>
  );
}

function Accept({ secret, invited, user }: Props & { readonly user: User }) {
  const { busy, trouble, submit } = useSubmit(async () => {
    await call('POST', '/auth/invitations/accept', { secret });
    location.assign('/account');
  });
  return (
    <form className="account-card" onSubmit={submit} data-testid="accept">
      <Heading invited={invited} />
      <p>
        You are signed in as <strong>{user.email}</strong>.
      </p>
      <Trouble text={trouble} />
      <button type="submit" className="button" data-testid="submit" disabled={busy}>
        Join
      </button>
    </form>
  );
}

function SignUp({ secret, invited }: Props) {
  const [email, setEmail] = useState(invited.email ?? '');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { busy, trouble, submit } = useSubmit(async () => {
    await call('POST', '/auth/invitations/sign-up', { secret, email, name: name.trim(), password });
    location.assign('/account');
  });
  // The secret stays behind the #, which no server and no proxy sees.
  const back = `/sign-in?next=%2Finvitation#${secret}`;
  return (
    <form className="account-card" onSubmit={submit} data-testid="sign-up">
      <Heading invited={invited} />
      <NameField value={name} onText={setName} />
      <EmailField value={email} onText={setEmail} fixed={invited.email !== null} />
      <NewPasswordField label="Password" testId="password" value={password} onText={setPassword} />
      <Trouble text={trouble} />
      <button type="submit" className="button" data-testid="submit" disabled={busy || !name.trim()}>
        Make an account and join
      </button>
      <p className="account-hint">
        You have an account already? <a href={back}>Sign in</a>
      </p>
    </form>
  );
}
