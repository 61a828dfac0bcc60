import { useEffect, useState } from 'react';
import { call, isSignedOut, type Me, sentenceFor, type User } from './api';
import { PasswordForm } from './PasswordForm';
import { ProfileForm } from './ProfileForm';
import { Sessions } from './Sessions';
import { Tokens } from './Tokens';
import { Trouble } from './Trouble';

export function signInAgain(): void {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export function Account() {
  const [me, setMe] = useState<Me>();
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    call<Me>('GET', '/me')
      .then(setMe)
      .catch((failure: unknown) => {
        if (isSignedOut(failure)) signInAgain();
        else setTrouble(sentenceFor(failure));
      });
  }, []);
  if (!me?.user) return trouble ? <Trouble text={trouble} /> : <div className="spinner" role="status" />;
  return <Signed me={me} user={me.user} onChange={(user) => setMe({ ...me, user })} />;
}

interface Props {
  readonly me: Me;
  readonly user: User;
  readonly onChange: (user: User) => void;
}

function Signed({ me, user, onChange }: Props) {
  const signOut = () => {
    void call('POST', '/auth/sign-out').finally(() => location.assign('/sign-in'));
  };
  return (
    <div className="account" data-testid="account">
      <div className="account-head">
        <div>
          <h2>{user.name}</h2>
          <p>{user.email}</p>
        </div>
        <a className="button button-quiet" href="/rooms">
          Rooms
        </a>
        <button type="button" className="button button-quiet" data-testid="sign-out" onClick={signOut}>
          Sign out
        </button>
      </div>
      <section className="account-card" aria-labelledby="organisations">
        <h3 id="organisations">Organisations</h3>
        <ul className="account-list">
          {me.organisations.map((one) => (
            <li key={one.id}>
              <span>
                <strong>{one.name}</strong>
                <small>{one.role}</small>
              </span>
              {one.role !== 'viewer' && (
                <a
                  className="button button-quiet"
                  href={`/members?organisation=${one.slug}`}
                  aria-label={`Members of ${one.name}`}
                >
                  Members
                </a>
              )}
            </li>
          ))}
          {me.organisations.length === 0 && <li>You belong to no organisation yet.</li>}
          {user.operator && (
            <li>
              <strong>This installation</strong>
              <span className="badge">operator</span>
            </li>
          )}
        </ul>
      </section>
      <ProfileForm user={user} onChange={onChange} />
      <PasswordForm email={user.email} />
      <Sessions />
      <Tokens scopes={me.scopes} />
    </div>
  );
}
