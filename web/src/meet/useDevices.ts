import { Room } from 'livekit-client';
import { useEffect, useState } from 'react';

/** The devices of one kind. Their names are known only once one was allowed: pass what tells of it as `since`. */
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
    // Pages on plain http have no media devices at all.
    if (!isSecureContext) return;
    navigator.mediaDevices.addEventListener('devicechange', read);
    return () => navigator.mediaDevices.removeEventListener('devicechange', read);
    // A new `since` means new names.
  }, [kind, since]);
  return devices;
}
