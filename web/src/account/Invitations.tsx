import { useRef, useState } from 'react';
import { call, type WaitingInvitation, sentenceFor } from './api';
import { Field } from './Field';
import type { Role } from './roles';
import { RoleSelect } from './RoleSelect';
import { Trouble } from './Trouble';
import { useList } from './useList';
import { useSubmit } from './useSubmit';
import { when } from './when';

const LIVES: readonly (readonly [string, string])[] = [
  ['1d', '1 day'],
  ['7d', '7 days'],
  ['30d', '30 days'],
];

interface Props {
  readonly organisation: string;
  readonly roles: readonly Role[];
  readonly failed: (failure: unknown) => void;
}

export function Invitations({ organisation, roles, failed }: Props) {
  const path = `/organisations/${organisation}/invitations`;
  const { items, edit, hasMore, more } = useList<WaitingInvitation>(path, organisation, failed);
  const [done, setDone] = useState('');
  const [trouble, setTrouble] = useState('');
  const heading = useRef<HTMLHeadingElement>(null);
  const takeBack = async (invitation: WaitingInvitation) => {
    setDone('');
    setTrouble('');
    try {
      await call('DELETE', `${path}/${invitation.id}`, undefined, organisation);
      edit((now) => now.filter(({ id }) => id !== invitation.id));
      setDone('The invitation is taken back; its link works no more.');
      heading.current?.focus(); // the button that was pressed is gone
    } catch (failure) {
      setTrouble(sentenceFor(failure));
    }
  };
  return (
    <section className="account-card" aria-labelledby="invitations">
      <h3 id="invitations" ref={heading} tabIndex={-1}>
        Invitations
      </h3>
      <Invite
        path={path}
        organisation={organisation}
        roles={roles}
        onMade={(made) => edit((now) => [...now, made])}
      />
      <ul className="account-list" data-testid="invitations">
        {items?.map((one) => (
          <li key={one.id} className="member">
            <span>
              <strong>{one.email ?? 'Holder of the link'}</strong>
              <small>
                {one.role} · until {when(one.expiresAt)}
              </small>
            </span>
            {roles.includes(one.role) && (
              <button
                type="button"
                className="button button-quiet"
                aria-label={`Take back the invitation of ${one.email ?? `a ${one.role}`} until ${when(one.expiresAt)}`}
                onClick={() => void takeBack(one)}
              >
                Take back
              </button>
            )}
          </li>
        ))}
        {items?.length === 0 && <li>No invitation waits.</li>}
      </ul>
      {hasMore && (
        <button type="button" className="button button-quiet" onClick={more}>
          Show more
        </button>
      )}
      <Trouble text={trouble} />
      <p role="status" className="form-done" data-testid="invitation-done">
        {done}
      </p>
    </section>
  );
}

interface InviteProps {
  readonly path: string;
  readonly organisation: string;
  readonly roles: readonly Role[];
  readonly onMade: (made: WaitingInvitation) => void;
}

function Invite({ path, organisation, roles, onMade }: InviteProps) {
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('member');
  const [life, setLife] = useState('7d');
  const [link, setLink] = useState('');
  const { busy, trouble, submit } = useSubmit(async () => {
    const body = { role, expiresIn: life, ...(email.trim() && { email: email.trim() }) };
    const { url, ...made } = await call<WaitingInvitation & { url: string }>('POST', path, body, organisation);
    setLink(url);
    setEmail('');
    onMade(made);
  });
  return (
    <form className="token-form" onSubmit={submit} data-testid="invite-form">
      <Field
        label="E-mail (optional)"
        hint="Only this address accepts. Nothing is sent: you hand the link over yourself."
        type="email"
        autoComplete="off"
        maxLength={254}
        data-testid="invite-email"
        value={email}
        onText={setEmail}
      />
      <div className="token-row">
        <RoleSelect label="Role" value={role} roles={roles} onRole={setRole} />
        <label className="field">
          <span>Works for</span>
          <select value={life} onChange={(event) => setLife(event.target.value)}>
            {LIVES.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Trouble text={trouble} />
      <button type="submit" className="button" data-testid="invite" disabled={busy}>
        Make a link
      </button>
      <div role="status">{link && <NewLink key={link} link={link} />}</div>
    </form>
  );
}

function NewLink({ link }: { readonly link: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    navigator.clipboard.writeText(link).then(
      () => setCopied(true),
      () => setCopied(false), // it stands there to be selected
    );
  };
  return (
    <p className="token-secret">
      Copy the link now; it is not shown again, and works once.
      <code data-testid="invite-link">{link}</code>
      {'clipboard' in navigator && (
        <button type="button" className="button button-quiet" onClick={copy}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      )}
    </p>
  );
}
