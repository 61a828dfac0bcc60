import { useCallback, useEffect, useState } from 'react';
import { call, sentenceFor, type Session } from './api';
import { browserName } from './browserName';
import { Trouble } from './Trouble';
import { when } from './when';

export function Sessions() {
  const [sessions, setSessions] = useState<readonly Session[]>([]);
  const [trouble, setTrouble] = useState('');
  const load = useCallback(async () => {
    setSessions(await call<readonly Session[]>('GET', '/me/sessions'));
  }, []);
  const failed = (failure: unknown) => setTrouble(sentenceFor(failure));
  useEffect(() => {
    load().catch(failed);
  }, [load]);
  const end = (path: string) => {
    call('DELETE', path).then(load).catch(failed);
  };
  return (
    <section className="account-card" aria-labelledby="sessions">
      <h3 id="sessions">Where you are signed in</h3>
      <ul className="account-list" data-testid="sessions">
        {sessions.map((one) => (
          <li key={one.id}>
            <span>
              <strong>{browserName(one.userAgent)}</strong>
              <small>
                {one.address} · since {when(one.createdAt)}
              </small>
            </span>
            {one.current ? (
              <span className="badge">this browser</span>
            ) : (
              <button
                type="button"
                className="button button-quiet"
                aria-label={`Sign out ${browserName(one.userAgent)}, ${one.address}`}
                onClick={() => end(`/me/sessions/${one.id}`)}
              >
                Sign out
              </button>
            )}
          </li>
        ))}
      </ul>
      <Trouble text={trouble} />
      {sessions.length > 1 && (
        <button type="button" className="button button-quiet" onClick={() => end('/me/sessions')}>
          Sign out everywhere else
        </button>
      )}
    </section>
  );
}
