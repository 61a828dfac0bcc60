import { useRef, useState } from 'react';
import { call, type Member, sentenceFor } from './api';
import { Confirm } from './Confirm';
import type { Role } from './roles';
import { RoleSelect } from './RoleSelect';
import { Trouble } from './Trouble';
import { useList } from './useList';

interface Props {
  readonly organisation: string;
  /** The id of the user who looks. */
  readonly own: string;
  /** Those that this user gives and takes; members with another one are only shown. */
  readonly roles: readonly Role[];
  readonly failed: (failure: unknown) => void;
}

export function MemberList({ organisation, own, roles, failed }: Props) {
  const path = `/organisations/${organisation}/members`;
  const { items, edit, hasMore, more } = useList<Member>(path, organisation, failed);
  const [removing, setRemoving] = useState<Member>();
  const [done, setDone] = useState('');
  const [trouble, setTrouble] = useState('');
  const heading = useRef<HTMLHeadingElement>(null);
  const begin = () => {
    setDone('');
    setTrouble('');
  };
  const change = async (member: Member, role: Role) => {
    begin();
    try {
      const changed = await call<Member>('PATCH', `${path}/${member.id}`, { role }, organisation);
      edit((now) => now.map((one) => (one.id === changed.id ? changed : one)));
      setDone(`${changed.name} is ${changed.role} now.`);
    } catch (failure) {
      setTrouble(sentenceFor(failure));
    }
  };
  const remove = async (member: Member) => {
    begin();
    try {
      await call('DELETE', `${path}/${member.id}`, undefined, organisation);
      edit((now) => now.filter(({ id }) => id !== member.id));
      setDone(`${member.name} is removed.`);
      heading.current?.focus(); // the button that was pressed is gone
    } catch (failure) {
      setTrouble(sentenceFor(failure));
    }
  };
  return (
    <section className="account-card" aria-labelledby="members">
      <h3 id="members" ref={heading} tabIndex={-1}>
        Members
      </h3>
      {items ? (
        <ul className="account-list" data-testid="members">
          {items.map((member) => (
            <li key={member.id} className="member">
              <Who member={member} own={own} />
              {member.id !== own && roles.includes(member.role) ? (
                <span className="member-actions">
                  <ChangeRole member={member} roles={roles} onChange={(role) => change(member, role)} />
                  <button
                    type="button"
                    className="button button-quiet"
                    aria-label={`Remove ${member.name}`}
                    onClick={() => setRemoving(member)}
                  >
                    Remove
                  </button>
                </span>
              ) : (
                <span className="badge">{member.role}</span>
              )}
            </li>
          ))}
        </ul>
      ) : (
        <div className="spinner" role="status" aria-label="Loading" />
      )}
      {hasMore && (
        <button type="button" className="button button-quiet" onClick={more}>
          Show more
        </button>
      )}
      <Trouble text={trouble} />
      <p role="status" className="form-done" data-testid="member-done">
        {done}
      </p>
      {removing && (
        <Confirm
          question={`Remove ${removing.name}?`}
          action="Remove"
          onAct={() => void remove(removing)}
          onClosed={() => setRemoving(undefined)}
        >
          {removing.email} leaves every room of this organisation at once, and has nothing in it any more. The account
          itself stays.
        </Confirm>
      )}
    </section>
  );
}

function Who({ member, own }: { readonly member: Member; readonly own: string }) {
  return (
    <span>
      <strong>
        {member.name}
        {member.id === own && ' (you)'}
      </strong>
      <small>
        {member.email}
        {member.disabled && ' · disabled'}
      </small>
    </span>
  );
}

interface ChangeProps {
  readonly member: Member;
  readonly roles: readonly Role[];
  readonly onChange: (role: Role) => Promise<void>;
}

/** A change is sent by its button: arrow keys pass through the roles between, and each would be one. */
function ChangeRole({ member, roles, onChange }: ChangeProps) {
  const [role, setRole] = useState(member.role);
  const [busy, setBusy] = useState(false);
  const select = useRef<HTMLSelectElement>(null);
  const save = () => {
    setBusy(true);
    void onChange(role).finally(() => {
      setBusy(false);
      select.current?.focus(); // the button is gone where it worked
    });
  };
  return (
    <>
      <RoleSelect ref={select} label={`Role of ${member.name}`} hidden value={role} roles={roles} onRole={setRole} />
      {role !== member.role && (
        <button type="button" className="button" aria-label={`Save role of ${member.name}`} disabled={busy} onClick={save}>
          Save
        </button>
      )}
    </>
  );
}
