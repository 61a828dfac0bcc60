import { type DisconnectReason, LogLevel, type Room, RoomEvent, setLogLevel } from 'livekit-client';
import { backoffMs, pause } from './backoff';
import { closedBy, type Ending } from './ending';
import { type Grant, requestGrant } from './join';
import { Problem } from './problem';

setLogLevel(LogLevel.warn);

export type Link = 'connecting' | 'reconnecting' | 'connected';

export interface ConnectionOptions {
  readonly room: Room;
  readonly joinUrl: string;
  readonly body: object;
  readonly signal: AbortSignal;
  /** failures: how many attempts in a row have failed so far. */
  readonly onLink: (link: Link, failures: number) => void;
  readonly onGrant?: (grant: Grant) => void;
}

/** A connection that held this long was a real one, so the next failure is counted from one. */
const STEADY_MS = 10_000;
/** The client often recovers unnoticed within this time, and then no notice is shown. */
const UNNOTICED_MS = 1_500;

/**
 * Stays connected to the room until a participant leaves or the room ends. When the client gives up (the media server
 * was restarted, the network was away for long), a new token is requested again and again, with growing pauses.
 */
export async function stayConnected(options: ConnectionOptions): Promise<Ending> {
  const { room, signal } = options;
  const stopWatching = watchLink(room, (link) => options.onLink(link, 0));
  const leave = () => void room.disconnect();
  signal.addEventListener('abort', leave);
  let connectedBefore = false;
  let failures = 0;
  const over = () => signal.aborted;
  try {
    while (!over()) {
      options.onLink(connectedBefore ? 'reconnecting' : 'connecting', failures);
      try {
        const { gone } = await enter(options);
        connectedBefore = true;
        const since = Date.now();
        options.onLink('connected', 0);
        const ending = closedBy(await gone);
        if (ending) return ending;
        if (Date.now() - since > STEADY_MS) failures = 0;
      } catch (error) {
        if (over()) break;
        if (error instanceof Problem && !error.passing) return { kind: 'refused', problem: error };
        if (error instanceof Problem && error.retryAfterMs) await pause(error.retryAfterMs, signal);
      }
      failures += 1;
      options.onLink(connectedBefore ? 'reconnecting' : 'connecting', failures);
      await pause(backoffMs(failures), signal);
    }
    return { kind: 'left' };
  } finally {
    signal.removeEventListener('abort', leave);
    stopWatching();
  }
}

/** Resolves once inside; `gone` resolves when the room is lost for good. */
async function enter(options: ConnectionOptions): Promise<{ gone: Promise<DisconnectReason | undefined> }> {
  const { room, signal } = options;
  const grant = await requestGrant(options.joinUrl, options.body, signal);
  options.onGrant?.(grant);
  await room.connect(grant.wsUrl, grant.token, {
    autoSubscribe: true,
    ...(grant.iceServers ? { rtcConfig: { iceServers: grant.iceServers } } : {}),
  });
  return { gone: new Promise((resolve) => room.once(RoomEvent.Disconnected, resolve)) };
}

function watchLink(room: Room, notify: (link: Link) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = () => {
    timer ??= setTimeout(() => notify('reconnecting'), UNNOTICED_MS);
  };
  const cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const back = () => {
    cancel();
    notify('connected');
  };
  room.on(RoomEvent.SignalReconnecting, later);
  room.on(RoomEvent.Reconnecting, later);
  room.on(RoomEvent.Reconnected, back);
  room.on(RoomEvent.Disconnected, cancel);
  return () => {
    cancel();
    room.off(RoomEvent.SignalReconnecting, later);
    room.off(RoomEvent.Reconnecting, later);
    room.off(RoomEvent.Reconnected, back);
    room.off(RoomEvent.Disconnected, cancel);
  };
}
