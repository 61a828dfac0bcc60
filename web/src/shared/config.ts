export interface RoomPageConfig {
  readonly page: 'play' | 'embed' | 'meet' | 'publish';
  readonly app: string;
  readonly room: string;
  readonly livekitRoom: string;
  readonly title: string;
  readonly joinUrl: string;
  /** What there is to watch, and a camera's frames by WebSocket and as MJPEG. */
  readonly liveUrl: string;
  readonly framesUrl: string;
  readonly mjpegUrl: string;
}

export interface AccountPageConfig {
  readonly page: 'account';
  readonly view: 'sign-in' | 'welcome' | 'invitation' | 'account' | 'rooms' | 'members';
}

export interface DocsPageConfig {
  readonly page: 'docs';
  readonly openapiUrl: string;
}

/** The server writes the page's configuration into the head as data; it is never a script. */
export function readConfig(): unknown {
  const text = document.getElementById('stagedoor-config')?.textContent;
  if (!text) throw new Error('This page was served without its configuration.');
  return JSON.parse(text);
}
