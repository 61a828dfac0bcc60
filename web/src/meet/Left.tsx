import type { Ending } from '../shared/ending';
import { Brand } from './Brand';
import { Icon } from './Icon';

function words(ending: Ending): { title: string; detail: string } {
  switch (ending.kind) {
    case 'left':
      return { title: 'You left the meeting', detail: 'Come back whenever you like.' };
    case 'closed':
      return ending;
    case 'refused':
      return { title: ending.problem.title, detail: ending.problem.detail };
  }
}

interface Props {
  readonly title: string;
  readonly ending: Ending;
  readonly onRejoin: () => void;
  readonly onChange: () => void;
}

export function Left({ title, ending, onRejoin, onChange }: Props) {
  const { title: heading, detail } = words(ending);
  return (
    <div className="lobby">
      <Brand title={title} />
      <main className="left" data-testid="left-page" data-ending={ending.kind}>
        <h2>{heading}</h2>
        <p>{detail}</p>
        <div className="left-actions">
          <button type="button" className="button" data-testid="rejoin" onClick={onRejoin}>
            <Icon name="retry" />
            {ending.kind === 'refused' ? 'Try again' : 'Rejoin'}
          </button>
          <button type="button" className="button button-quiet" onClick={onChange}>
            Change name or devices
          </button>
        </div>
      </main>
    </div>
  );
}
