import { useTrackToggle } from '@livekit/components-react';
import { Track } from 'livekit-client';
import type { IconName } from '../shared/icons';
import { Icon } from '../shared/Icon';
import type { Device } from './access';

type Source = Track.Source.Camera | Track.Source.Microphone | Track.Source.ScreenShare;

interface Face {
  readonly device: Device;
  readonly on: IconName;
  readonly off: IconName;
  readonly turnOn: string;
  readonly turnOff: string;
}

const FACES: Readonly<Record<Source, Face>> = {
  [Track.Source.Microphone]: {
    device: 'microphone',
    on: 'mic',
    off: 'micOff',
    turnOn: 'Unmute',
    turnOff: 'Mute',
  },
  [Track.Source.Camera]: {
    device: 'camera',
    on: 'camera',
    off: 'cameraOff',
    turnOn: 'Switch the camera on',
    turnOff: 'Switch the camera off',
  },
  [Track.Source.ScreenShare]: {
    device: 'screen',
    on: 'screen',
    off: 'screen',
    turnOn: 'Share your screen',
    turnOff: 'Stop sharing your screen',
  },
};

interface Props {
  readonly source: Source;
  readonly onWish?: (on: boolean) => void;
  readonly onTrouble: (device: Device, error: unknown) => void;
}

export function Toggle({ source, onWish, onTrouble }: Props) {
  const face = FACES[source];
  const { toggle, enabled, pending } = useTrackToggle({
    source,
    onDeviceError: (error) => onTrouble(face.device, error),
  });
  const label = enabled ? face.turnOff : face.turnOn;
  const press = () => {
    onWish?.(!enabled);
    Promise.resolve(toggle()).catch((error: unknown) => onTrouble(face.device, error));
  };
  return (
    <button
      type="button"
      className="round"
      data-testid={`toggle-${face.device}`}
      data-on={enabled}
      data-off={(!enabled && face.device !== 'screen') || undefined}
      aria-pressed={enabled}
      aria-label={label}
      title={label}
      disabled={pending}
      onClick={press}
    >
      <Icon name={enabled ? face.on : face.off} />
    </button>
  );
}
