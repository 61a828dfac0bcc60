import { Room } from 'livekit-client';
import { useEffect, useState } from 'react';
import { mediaDevices } from './access';

/** The devices of one kind. Their names are known only once one was allowed: pass what changes then as `since`. */
export function useDevices(kind: MediaDeviceKind, since: unknown): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  useEffect(() => {
    const read = () => {
      Room.getLocalDevices(kind, false).then(
        (found) => setDevices(found.filter((device) => device.deviceId !== '')),
        () => setDevices([]),
      );
    };
    read();
    const devices = mediaDevices();
    devices?.addEventListener('devicechange', read);
    return () => devices?.removeEventListener('devicechange', read);
    // A new `since` means new names.
  }, [kind, since]);
  return devices;
}
