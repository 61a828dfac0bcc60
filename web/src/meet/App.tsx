import { useState } from 'react';
import type { RoomPageConfig } from '../shared/config';
import type { Ending } from '../shared/ending';
import { Conference } from './Conference';
import type { Choices } from '../devices/choices';
import { Left } from '../devices/Left';
import { Prejoin } from '../devices/Prejoin';

const LEFT = {
  title: 'You left the meeting',
  detail: 'Come back whenever you like.',
  again: 'Rejoin',
};

const PREJOIN = {
  heading: 'Ready to join?',
  nameHint: 'How others see you',
  button: 'Join',
  nameless: 'Enter your name to join.',
};

type Phase =
  | { readonly name: 'prejoin' }
  | { readonly name: 'room'; readonly choices: Choices }
  | { readonly name: 'left'; readonly choices: Choices; readonly ending: Ending };

export function App({ config }: { readonly config: RoomPageConfig }) {
  const [phase, setPhase] = useState<Phase>({ name: 'prejoin' });
  const join = (choices: Choices) => setPhase({ name: 'room', choices });
  if (phase.name === 'prejoin') {
    return <Prejoin title={config.title} texts={PREJOIN} listens onJoin={join} />;
  }
  const { choices } = phase;
  if (phase.name === 'left') {
    return (
      <Left
        title={config.title}
        texts={LEFT}
        ending={phase.ending}
        onRejoin={() => join(choices)}
        onChange={() => setPhase({ name: 'prejoin' })}
      />
    );
  }
  return (
    <Conference
      title={config.title}
      joinUrl={config.joinUrl}
      choices={choices}
      onEnd={(ending) => setPhase({ name: 'left', choices, ending })}
    />
  );
}
