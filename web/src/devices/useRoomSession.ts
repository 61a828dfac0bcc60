import { Room } from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Ending } from '../shared/ending';
import { reconnectPolicy } from '../shared/reconnectPolicy';
import { type Link, stayConnected } from '../shared/roomConnection';
import type { Choices } from './choices';
import { isMissing } from './trouble';

export interface Wanted {
  camera: boolean;
  microphone: boolean;
}

export interface RoomSession {
  readonly room: Room;
  readonly link: Link;
  readonly failures: number;
  /** What the participant last switched on, to be published again after the connection was lost. */
  readonly wanted: Wanted;
  readonly leave: () => void;
}

interface Options {
  readonly joinUrl: string;
  readonly choices: Choices;
  readonly onEnd: (ending: Ending) => void;
  readonly onTrouble: (device: 'camera' | 'microphone', error: unknown) => void;
}

function newRoom(choices: Choices): Room {
  const { cameraId, microphoneId, speakerId } = choices;
  return new Room({
    adaptiveStream: true,
    dynacast: true,
    reconnectPolicy,
    ...(cameraId ? { videoCaptureDefaults: { deviceId: cameraId } } : {}),
    ...(microphoneId ? { audioCaptureDefaults: { deviceId: microphoneId } } : {}),
    ...(speakerId ? { audioOutput: { deviceId: speakerId } } : {}),
  });
}

async function publish(room: Room, wanted: Wanted, onTrouble: Options['onTrouble']): Promise<void> {
  const me = room.localParticipant;
  if (me.permissions?.canPublish === false) return;
  const turnOn = (device: 'camera' | 'microphone', any?: { deviceId: string }) =>
    device === 'camera' ? me.setCameraEnabled(true, any) : me.setMicrophoneEnabled(true, any);
  for (const device of ['microphone', 'camera'] as const) {
    if (!wanted[device]) continue;
    try {
      await turnOn(device).catch((error: unknown) => {
        if (isMissing(error)) return turnOn(device, { deviceId: 'default' });
        throw error;
      });
    } catch (error) {
      onTrouble(device, error);
    }
  }
}

/** The session in the meeting from joining to leaving, however often the connection breaks. */
export function useRoomSession(options: Options): RoomSession {
  const latest = useRef(options);
  latest.current = options;
  const [room] = useState(() => newRoom(options.choices));
  const [link, setLink] = useState<{ link: Link; failures: number }>({ link: 'connecting', failures: 0 });
  const wanted = useRef<Wanted>({ camera: options.choices.camera, microphone: options.choices.microphone });
  const session = useRef<AbortController>(undefined);

  useEffect(() => {
    const abort = new AbortController();
    session.current = abort;
    const { joinUrl, choices, onTrouble } = latest.current;
    void stayConnected({
      room,
      joinUrl,
      body: { name: choices.name },
      signal: abort.signal,
      onLink: (now, failures) => {
        setLink({ link: now, failures });
        if (now === 'connected') void publish(room, wanted.current, onTrouble);
      },
    }).then((ending) => latest.current.onEnd(ending));
    return () => abort.abort();
  }, [room]);

  const leave = useCallback(() => session.current?.abort(), []);
  return { room, ...link, wanted: wanted.current, leave };
}
