import type { Ending } from '../shared/ending';
import { Brand } from '../shared/Brand';
import { Icon } from '../shared/Icon';

export interface LeftTexts {
  readonly title: string;
  readonly detail: string;
  readonly again: string;
}

function words(ending: Ending, texts: LeftTexts): { title: string; detail: string } {
  switch (ending.kind) {
    case 'left':
      return texts;
    case 'closed':
      return ending;
    case 'refused':
      return { title: ending.problem.title, detail: ending.problem.detail };
  }
}

interface Props {
  readonly title: string;
  readonly texts: LeftTexts;
  readonly ending: Ending;
  readonly onRejoin: () => void;
  readonly onChange: () => void;
}

export function Left({ title, texts, ending, onRejoin, onChange }: Props) {
  const { title: heading, detail } = words(ending, texts);
  return (
    <div className="lobby">
      <Brand title={title} />
      <main className="left" data-testid="left-page" data-ending={ending.kind}>
        <h2>{heading}</h2>
        <p>{detail}</p>
        <div className="left-actions">
          <button type="button" className="button" data-testid="rejoin" onClick={onRejoin}>
            <Icon name="retry" />
            {ending.kind === 'refused' ? 'Try again' : texts.again}
          </button>
          <button type="button" className="button button-quiet" onClick={onChange}>
            Change name or devices
          </button>
        </div>
      </main>
    </div>
  );
}
