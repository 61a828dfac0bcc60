import { useCallback, useEffect, useState } from 'react';
import { type AccessToken, call, sentenceFor } from './api';
import { Field } from './Field';
import { Trouble } from './Trouble';
import { useSubmit } from './useSubmit';

const DAY_MS = 86_400_000;

const LIVES: readonly (readonly [string, string])[] = [
  ['7', '7 days'],
  ['30', '30 days'],
  ['90', '90 days'],
  ['', 'No end'],
];

interface Props {
  /** Those that the user has where a new token acts. */
  readonly scopes: readonly string[];
}

export function Tokens({ scopes }: Props) {
  const [tokens, setTokens] = useState<readonly AccessToken[]>([]);
  const [trouble, setTrouble] = useState('');
  const load = useCallback(async () => {
    setTokens(await call<readonly AccessToken[]>('GET', '/me/tokens'));
  }, []);
  const failed = (failure: unknown) => setTrouble(sentenceFor(failure));
  useEffect(() => {
    load().catch(failed);
  }, [load]);
  const revoke = (token: AccessToken) => {
    call('DELETE', `/me/tokens/${token.id}`).then(load).catch(failed);
  };
  return (
    <section className="account-card" aria-labelledby="tokens">
      <h3 id="tokens">Personal access tokens</h3>
      <p className="account-hint">For programs that act as you. None may do more than you may.</p>
      <ul className="account-list" data-testid="tokens">
        {tokens.map((one) => (
          <li key={one.id}>
            <span>
              <strong>{one.name}</strong>
              <small>
                …{one.hint} · {one.scopes.join(', ')}
                {one.expiresAt && ` · until ${new Date(one.expiresAt).toLocaleDateString()}`}
              </small>
            </span>
            <button
              type="button"
              className="button button-quiet"
              aria-label={`Revoke ${one.name}`}
              onClick={() => revoke(one)}
            >
              Revoke
            </button>
          </li>
        ))}
      </ul>
      <Trouble text={trouble} />
      {scopes.length > 0 && <NewToken scopes={scopes} onMade={() => void load().catch(failed)} />}
    </section>
  );
}

function NewToken({ scopes, onMade }: Props & { readonly onMade: () => void }) {
  const [name, setName] = useState('');
  const [days, setDays] = useState('30');
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [secret, setSecret] = useState('');
  const { busy, trouble, submit } = useSubmit(async () => {
    const expiresAt = days ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : null;
    const made = await call<AccessToken & { token: string }>('POST', '/me/tokens', {
      name: name.trim(),
      scopes: chosen,
      expiresAt,
    });
    setSecret(made.token);
    setName('');
    setChosen([]);
    onMade();
  });
  const toggle = (scope: string) =>
    setChosen((now) => (now.includes(scope) ? now.filter((one) => one !== scope) : [...now, scope]));
  return (
    <form className="token-form" onSubmit={submit} data-testid="token-form">
      {secret && (
        <p className="token-secret" role="status">
          Copy the token now; it is not shown again.
          <code data-testid="token-secret">{secret}</code>
        </p>
      )}
      <div className="token-row">
        <Field
          label="Name of a new token"
          maxLength={200}
          data-testid="token-name"
          value={name}
          onText={setName}
          placeholder="laptop"
        />
        <label className="field">
          <span>Ends after</span>
          <select value={days} onChange={(event) => setDays(event.target.value)}>
            {LIVES.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </div>
      <fieldset className="scopes">
        <legend>Scopes</legend>
        {scopes.map((scope) => (
          <label key={scope}>
            <input type="checkbox" checked={chosen.includes(scope)} onChange={() => toggle(scope)} />
            {scope}
          </label>
        ))}
      </fieldset>
      <Trouble text={trouble} />
      <button
        type="submit"
        className="button"
        data-testid="make-token"
        disabled={busy || !name.trim() || chosen.length === 0}
      >
        Make a token
      </button>
    </form>
  );
}
