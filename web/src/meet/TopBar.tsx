import { useParticipants, useRoomContext, useStartAudio } from '@livekit/components-react';
import { Brand } from '../shared/Brand';
import { Icon } from '../shared/Icon';
import { isVisible } from './people';

export function TopBar({ title }: { readonly title: string }) {
  const count = useParticipants().filter(isVisible).length;
  const room = useRoomContext();
  const { mergedProps, canPlayAudio } = useStartAudio({ room, props: {} });
  return (
    <div className="top">
      <Brand title={title} />
      {!canPlayAudio && (
        <button type="button" className="button start-audio" onClick={mergedProps.onClick}>
          <Icon name="volumeOff" />
          Tap for sound
        </button>
      )}
      <p className="count" data-testid="participant-count" data-count={count}>
        <Icon name="people" />
        <span aria-hidden="true">{count}</span>
        <span className="visually-hidden">{count === 1 ? '1 person here' : `${count} people here`}</span>
      </p>
    </div>
  );
}
