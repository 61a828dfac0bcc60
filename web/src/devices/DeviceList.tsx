import { useMediaDeviceSelect, useRoomContext } from '@livekit/components-react';
import { recallChoices, rememberChoices } from './choices';

const HEADS: Readonly<Record<MediaDeviceKind, string>> = {
  audioinput: 'Microphone',
  audiooutput: 'Speaker',
  videoinput: 'Camera',
};

const FIELDS = { audioinput: 'microphoneId', audiooutput: 'speakerId', videoinput: 'cameraId' } as const;

interface Props {
  readonly kind: MediaDeviceKind;
  readonly onDone: () => void;
}

export function DeviceList({ kind, onDone }: Props) {
  const room = useRoomContext();
  const { devices, activeDeviceId, setActiveMediaDevice } = useMediaDeviceSelect({ kind, room });
  const listed = devices.filter((device) => device.deviceId !== '');
  const pick = async (deviceId: string) => {
    onDone();
    await setActiveMediaDevice(deviceId);
    rememberChoices({ ...recallChoices(), [FIELDS[kind]]: deviceId });
  };
  // Not every browser lets a page choose where sound goes.
  if (listed.length === 0 && kind === 'audiooutput') return null;
  return (
    <fieldset className="device-list">
      <legend>{HEADS[kind]}</legend>
      {listed.length === 0 && <p>None found</p>}
      {listed.map((device, index) => (
        <button
          key={device.deviceId}
          type="button"
          aria-pressed={device.deviceId === activeDeviceId}
          onClick={() => void pick(device.deviceId).catch(() => undefined)}
        >
          {device.label || `${HEADS[kind]} ${index + 1}`}
        </button>
      ))}
    </fieldset>
  );
}
