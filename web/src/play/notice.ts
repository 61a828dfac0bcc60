export type StageState = 'connecting' | 'waiting' | 'live' | 'reconnecting' | 'ended' | 'error';

export interface Notice {
  readonly title: string;
  readonly detail?: string;
  readonly action?: string;
  readonly busy?: boolean;
}

export const notices = {
  connecting: { title: 'Connecting', busy: true },
  slow: { title: 'Still connecting', detail: 'The server does not answer yet. Trying again.', busy: true },
  starting: { title: 'The stream is starting', busy: true },
  waiting: { title: 'Waiting for the stream to start', detail: 'It starts here by itself.' },
  paused: { title: 'The stream has stopped', detail: 'If it comes back, it starts here by itself.' },
  reconnecting: { title: 'Reconnecting', detail: 'The connection was lost.', busy: true },
} as const satisfies Record<string, Notice>;
