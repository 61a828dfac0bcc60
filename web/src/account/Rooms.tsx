import { useEffect, useState } from 'react';
import { recallChoices, rememberChoices } from '../devices/choices';
import { visitor } from '../shared/visitor';
import { signInAgain } from './Account';
import { call, isSignedOut, type Joined, type OwnRoom, sentenceFor } from './api';
import { Trouble } from './Trouble';

export function Rooms() {
  const [rooms, setRooms] = useState<readonly OwnRoom[]>();
  const [trouble, setTrouble] = useState('');
  const [joining, setJoining] = useState('');
  const failed = (failure: unknown) => {
    setJoining('');
    if (isSignedOut(failure)) signInAgain();
    else setTrouble(sentenceFor(failure));
  };
  useEffect(() => {
    call<readonly OwnRoom[]>('GET', '/me/rooms').then(setRooms).catch(failed);
  }, []);
  const join = ({ app, room }: OwnRoom) => {
    setJoining(`${app} ${room}`);
    call<Joined>('POST', `/apps/${app}/rooms/${encodeURIComponent(room)}/join`, { device: visitor() })
      .then(({ token, name }) => {
        rememberChoices({ ...recallChoices(), name }); // others see the account's name, whatever the next page shows
        location.assign(`/meet/${app}/${encodeURIComponent(room)}?${new URLSearchParams({ token })}`);
      })
      .catch(failed);
  };
  if (!rooms) return trouble ? <Trouble text={trouble} /> : <div className="spinner" role="status" />;
  return (
    <div className="account" data-testid="rooms">
      <div className="account-head">
        <h2>Rooms</h2>
        <a className="button button-quiet" href="/account">
          Your account
        </a>
      </div>
      <section className="account-card" aria-label="Rooms that you may join">
        <ul className="account-list">
          {rooms.map((one) => (
            <li key={`${one.app} ${one.room}`}>
              <span>
                <strong>{one.room}</strong>
                <small>
                  {one.appName} · {presence(one)} · you are a {one.role}
                </small>
              </span>
              <button
                type="button"
                className={one.live ? 'button' : 'button button-quiet'}
                aria-label={`Join ${one.room}`}
                disabled={joining !== ''}
                onClick={() => join(one)}
              >
                {joining === `${one.app} ${one.room}` ? 'Joining…' : 'Join'}
              </button>
            </li>
          ))}
          {rooms.length === 0 && <li>There is no room that you may join yet.</li>}
        </ul>
        <Trouble text={trouble} />
      </section>
    </div>
  );
}

function presence({ live, participants }: OwnRoom): string {
  if (!live || participants === 0) return 'empty';
  return participants === 1 ? '1 person' : `${participants} people`;
}
