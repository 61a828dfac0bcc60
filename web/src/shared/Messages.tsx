import { Icon } from './Icon';
import type { Message } from './useMessages';

interface Props {
  readonly items: readonly Message[];
  readonly onDismiss: (id: number) => void;
}

export function Messages({ items, onDismiss }: Props) {
  return (
    <div className="messages" role="status" aria-live="polite">
      {items.map(({ id, text }) => (
        <div key={id} className="message">
          <p>{text}</p>
          <button type="button" aria-label="Dismiss" onClick={() => onDismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
