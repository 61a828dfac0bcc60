import { useCallback, useEffect, useState } from 'react';
import { signInAgain } from './Account';
import { call, isSignedOut, type Me, sentenceFor } from './api';
import { Invitations } from './Invitations';
import { MemberList } from './MemberList';
import { givable } from './roles';
import { Trouble } from './Trouble';

/** The page of an organisation's members: the one that the address names, or the first that the user may change. */
export function Members() {
  const [wanted] = useState(() => new URLSearchParams(location.search).get('organisation'));
  const [me, setMe] = useState<Me>();
  const [organisation, setOrganisation] = useState('');
  const [trouble, setTrouble] = useState('');
  const failed = useCallback((failure: unknown) => {
    if (isSignedOut(failure)) signInAgain();
    else setTrouble(sentenceFor(failure));
  }, []);
  useEffect(() => {
    load(wanted)
      .then(([found, chosen]) => {
        setMe(found);
        setOrganisation(chosen);
      })
      .catch(failed);
  }, [wanted, failed]);
  if (!me?.user) return trouble ? <Trouble text={trouble} /> : <div className="spinner" role="status" />;
  const one = me.organisations.find(({ id, slug }) => organisation === slug || organisation === id);
  return (
    <div className="account" data-testid="members-page">
      <div className="account-head">
        <div>
          <h2>Members</h2>
          <p>{one?.name ?? organisation}</p>
        </div>
        <a className="button button-quiet" href="/account">
          Your account
        </a>
      </div>
      {me.organisations.length > 1 && <Others me={me} current={one?.slug ?? organisation} />}
      {organisation ? (
        <Inside me={me} own={me.user.id} organisation={organisation} failed={failed} />
      ) : (
        <p>You belong to no organisation yet.</p>
      )}
      <Trouble text={trouble} />
    </div>
  );
}

/** The user as seen in the organisation that the page is about, and the organisation's slug. */
async function load(wanted: string | null): Promise<readonly [Me, string]> {
  if (wanted) return [await call<Me>('GET', '/me', undefined, wanted), wanted];
  const me = await call<Me>('GET', '/me');
  const first = me.organisations.find(({ role }) => role === 'owner' || role === 'admin') ?? me.organisations[0];
  return first ? [await call<Me>('GET', '/me', undefined, first.slug), first.slug] : [me, ''];
}

interface Props {
  readonly me: Me;
  readonly own: string;
  readonly organisation: string;
  readonly failed: (failure: unknown) => void;
}

function Inside({ me, own, organisation, failed }: Props) {
  const roles = givable(me);
  if (!me.scopes.includes('members:read')) {
    return (
      <section className="account-card">
        <p>Your role in this organisation does not see its members.</p>
      </section>
    );
  }
  return (
    <>
      <MemberList organisation={organisation} own={own} roles={roles} failed={failed} />
      {roles.length > 0 && <Invitations organisation={organisation} roles={roles} failed={failed} />}
    </>
  );
}

function Others({ me, current }: { readonly me: Me; readonly current: string }) {
  return (
    <nav className="account-switch" aria-label="Organisations">
      {me.organisations.map(({ slug, name }) => (
        <a key={slug} href={`/members?organisation=${slug}`} aria-current={slug === current ? 'page' : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}
