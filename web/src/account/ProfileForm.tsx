import { useState } from 'react';
import { call, type User } from './api';
import { Field } from './Field';
import { Trouble } from './Trouble';
import { useSubmit } from './useSubmit';

const ZONES = Intl.supportedValuesOf('timeZone');

interface Props {
  readonly user: User;
  readonly onChange: (user: User) => void;
}

export function ProfileForm({ user, onChange }: Props) {
  const [name, setName] = useState(user.name);
  const [zone, setZone] = useState(user.timeZone ?? '');
  const { busy, trouble, submit } = useSubmit(async () => {
    onChange(await call<User>('PATCH', '/me', { name, timeZone: zone || null }));
  });
  const changed = name !== user.name || zone !== (user.timeZone ?? '');
  return (
    <form className="account-card" onSubmit={submit} data-testid="profile">
      <h3>Profile</h3>
      <Field
        label="Your name"
        autoComplete="name"
        maxLength={200}
        data-testid="name"
        value={name}
        onText={setName}
        required
      />
      <label className="field">
        <span>Time zone</span>
        <select data-testid="zone" value={zone} onChange={(event) => setZone(event.target.value)}>
          <option value="">The browser’s</option>
          {(zone === '' || ZONES.includes(zone) ? ZONES : [zone, ...ZONES]).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <Trouble text={trouble} />
      <button type="submit" className="button" data-testid="save" disabled={busy || !changed || !name.trim()}>
        Save
      </button>
    </form>
  );
}
