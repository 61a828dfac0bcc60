import { useState } from 'react';
import type { RoomPageConfig } from '../shared/config';
import type { Ending } from '../shared/ending';
import { Conference } from './Conference';
import type { Choices } from './choices';
import { Left } from './Left';
import { Prejoin } from './Prejoin';

type Phase =
  | { readonly name: 'prejoin' }
  | { readonly name: 'room'; readonly choices: Choices }
  | { readonly name: 'left'; readonly choices: Choices; readonly ending: Ending };

export function App({ config }: { readonly config: RoomPageConfig }) {
  const [phase, setPhase] = useState<Phase>({ name: 'prejoin' });
  const join = (choices: Choices) => setPhase({ name: 'room', choices });
  if (phase.name === 'prejoin') return <Prejoin title={config.title} onJoin={join} />;
  const { choices } = phase;
  if (phase.name === 'left') {
    return (
      <Left
        title={config.title}
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
