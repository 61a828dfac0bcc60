import { Track } from 'livekit-client';
import type { Device } from './access';
import { DeviceMenu } from './DeviceMenu';
import { Toggle } from './Toggle';
import type { Wanted } from './useRoomSession';

interface Props {
  readonly wanted: Wanted;
  /** Whether the page plays sound, so that a speaker is to be chosen. */
  readonly listens: boolean;
  readonly may?: (source: Track.Source) => boolean;
  readonly onTrouble: (device: Device, error: unknown) => void;
}

/** The buttons of microphone and camera, each with the choice of its device. */
export function MediaToggles({ wanted, listens, may = () => true, onTrouble }: Props) {
  return (
    <>
      {may(Track.Source.Microphone) && (
        <div className="split">
          <Toggle
            source={Track.Source.Microphone}
            onWish={(on) => {
              wanted.microphone = on;
            }}
            onTrouble={onTrouble}
          />
          {listens ? (
            <DeviceMenu label="Microphone and speaker" kinds={['audioinput', 'audiooutput']} />
          ) : (
            <DeviceMenu label="Microphone" kinds={['audioinput']} />
          )}
        </div>
      )}
      {may(Track.Source.Camera) && (
        <div className="split">
          <Toggle
            source={Track.Source.Camera}
            onWish={(on) => {
              wanted.camera = on;
            }}
            onTrouble={onTrouble}
          />
          <DeviceMenu label="Camera" kinds={['videoinput']} />
        </div>
      )}
    </>
  );
}
