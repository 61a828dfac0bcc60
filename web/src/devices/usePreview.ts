import {
  createLocalAudioTrack,
  createLocalVideoTrack,
  type LocalAudioTrack,
  type LocalVideoTrack,
} from 'livekit-client';
import { useEffect, useState } from 'react';
import { deviceAccess } from './access';
import { deviceTrouble, isMissing } from './trouble';

export interface Preview<T> {
  readonly track: T | undefined;
  readonly trouble: string | undefined;
}

interface Wanted {
  readonly on: boolean;
  readonly deviceId: string;
}

/** Camera and microphone are asked for one by one, so that one can fail without the other. */
function usePreview<T extends LocalAudioTrack | LocalVideoTrack>(
  device: 'camera' | 'microphone',
  create: (options: { deviceId?: string }) => Promise<T>,
  { on, deviceId }: Wanted,
): Preview<T> {
  const [preview, setPreview] = useState<Preview<T>>({ track: undefined, trouble: undefined });
  useEffect(() => {
    let over = false;
    let track: T | undefined;
    const open = async () => {
      try {
        track = await create(deviceId ? { deviceId } : {}).catch((error: unknown) => {
          if (deviceId && isMissing(error)) return create({});
          throw error;
        });
        if (over) track.stop();
        else setPreview({ track, trouble: undefined });
      } catch (error) {
        if (!over) setPreview({ track: undefined, trouble: deviceTrouble(device, error, deviceAccess(device)) });
      }
    };
    if (on) void open();
    return () => {
      over = true;
      track?.stop();
      setPreview({ track: undefined, trouble: undefined });
    };
  }, [device, create, on, deviceId]);
  return preview;
}

export const useCameraPreview = (wanted: Wanted) => usePreview('camera', createLocalVideoTrack, wanted);
export const useMicrophonePreview = (wanted: Wanted) =>
  usePreview('microphone', createLocalAudioTrack, wanted);
