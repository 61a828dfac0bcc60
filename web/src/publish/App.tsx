import { useState } from 'react';
import type { Choices } from '../devices/choices';
import { Left } from '../devices/Left';
import { Prejoin } from '../devices/Prejoin';
import type { RoomPageConfig } from '../shared/config';
import type { Ending } from '../shared/ending';
import { Broadcast } from './Broadcast';

type Phase =
  | { readonly name: 'ready' }
  | { readonly name: 'live'; readonly choices: Choices }
  | { readonly name: 'ended'; readonly choices: Choices; readonly ending: Ending };

const ENDED = {
  title: 'The broadcast has ended',
  detail: 'Nothing is sent any more.',
  again: 'Go live again',
};

const PREJOIN = {
  heading: 'Ready to go live?',
  nameHint: 'How viewers see you',
  button: 'Go live',
  nameless: 'Enter your name to go live.',
};

export function App({ config }: { readonly config: RoomPageConfig }) {
  const [phase, setPhase] = useState<Phase>({ name: 'ready' });
  const goLive = (choices: Choices) => setPhase({ name: 'live', choices });
  if (phase.name === 'ready') {
    return <Prejoin title={config.title} texts={PREJOIN} listens={false} onJoin={goLive} />;
  }
  const { choices } = phase;
  if (phase.name === 'ended') {
    return (
      <Left
        title={config.title}
        texts={ENDED}
        ending={phase.ending}
        onRejoin={() => goLive(choices)}
        onChange={() => setPhase({ name: 'ready' })}
      />
    );
  }
  return (
    <Broadcast
      title={config.title}
      joinUrl={config.joinUrl}
      choices={choices}
      onEnd={(ending) => setPhase({ name: 'ended', choices, ending })}
    />
  );
}
