import { MultipartReader } from './multipart';

export interface Listener {
  readonly onOpen: () => void;
  readonly onFrame: (frame: Blob) => void;
}

/** Follows one connection until it ends or is aborted. */
export type Source = (url: string, listener: Listener, signal: AbortSignal) => Promise<void>;

/** Frames over a WebSocket. */
export const socketFrames: Source = (url, listener, signal) =>
  new Promise((resolve) => {
    const socket = new WebSocket(url);
    const end = () => {
      signal.removeEventListener('abort', abort);
      resolve();
    };
    const abort = () => {
      // On a connection that is lost, closing takes as long as the browser waits for an answer.
      socket.onopen = null;
      socket.onmessage = null;
      socket.close();
      end();
    };
    signal.addEventListener('abort', abort);
    socket.binaryType = 'blob';
    socket.onopen = listener.onOpen;
    socket.onmessage = ({ data }: MessageEvent<Blob>) => listener.onFrame(data);
    socket.onclose = end;
  });

/** Frames as MJPEG, for networks that let no WebSocket through. */
export const mjpegFrames: Source = async (url, listener, signal) => {
  try {
    const response = await fetch(url, { cache: 'no-store', signal });
    const reader = response.ok ? response.body?.getReader() : undefined;
    const parts = new MultipartReader();
    if (reader) listener.onOpen();
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      for (const part of parts.push(read.value)) listener.onFrame(new Blob([part], { type: 'image/jpeg' }));
    }
  } catch {
    // It broke, was aborted, or is no such stream.
  }
};
