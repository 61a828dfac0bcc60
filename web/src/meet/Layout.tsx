import { useState } from 'react';
import type { Link } from '../shared/roomConnection';
import { FocusLayout } from './FocusLayout';
import { GridLayout } from './GridLayout';
import { focusOf, type Wish } from './focus';
import { useTiles } from './useTiles';

interface Props {
  readonly link: Link;
  readonly failures: number;
}

function Covering({ link, failures }: Props) {
  if (link === 'connected') return null;
  const again = link === 'reconnecting';
  return (
    <div className={again ? 'banner' : 'cover'} role="status">
      <div className="spinner" aria-hidden="true" />
      <p>
        {again ? 'The connection was lost. Reconnecting…' : 'Joining…'}
        {!again && failures > 1 && ' The server does not answer yet. Trying again.'}
      </p>
    </div>
  );
}

export function Layout(props: Props) {
  const [wish, setWish] = useState<Wish>({ kind: 'auto' });
  const tiles = useTiles();
  const focus = focusOf(wish, tiles);
  const onFocus = (key: string) => setWish(key === focus ? { kind: 'grid' } : { kind: 'tile', key });
  const alone = tiles.length === 1 && tiles[0]?.ref.participant.isLocal;
  const joined = props.link !== 'connecting';
  return (
    <main className="layout" data-layout={focus ? 'focus' : 'grid'}>
      <Covering {...props} />
      {joined && tiles.length === 0 && (
        <p className="empty">You are watching. Participants who publish appear here.</p>
      )}
      {joined && focus && <FocusLayout tiles={tiles} focus={focus} onFocus={onFocus} />}
      {joined && !focus && <GridLayout tiles={tiles} onFocus={onFocus} />}
      {joined && alone && <p className="alone">You are the only one here. Others appear as they join.</p>}
    </main>
  );
}
