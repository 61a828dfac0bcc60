import { useCallback } from 'react';
import { useMessages } from '../shared/useMessages';
import { type Device, deviceAccess } from './access';
import { deviceTrouble } from './trouble';

/** Messages, and what says in one of them what is wrong with a device. */
export function useDeviceTrouble() {
  const messages = useMessages();
  const { say } = messages;
  const onTrouble = useCallback(
    (device: Device, error: unknown) => {
      const sentence = deviceTrouble(device, error, deviceAccess(device));
      if (sentence) say(sentence);
    },
    [say],
  );
  return { messages, onTrouble };
}
