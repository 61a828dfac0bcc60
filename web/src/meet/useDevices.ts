import { Room } from 'livekit-client';
import { useEffect, useState } from 'react';

/** The devices of one kind. Their names are known only once one was allowed: pass what tells of it as `since`. */
export function useDevices(kind: MediaDeviceKind, since: unknown): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new `since` means new names
  useEffect(() => {
    const media: MediaDevices | undefined = navigator.mediaDevices;
    const read = () =>
      Room.getLocalDevices(kind, false).then(
        (found) => setDevices(found.filter((device) => device.deviceId !== '')),
        () => setDevices([]),
      );
    void read();
    media?.addEventListener('devicechange', read);
    return () => media?.removeEventListener('devicechange', read);
  }, [kind, since]);
  return devices;
}
