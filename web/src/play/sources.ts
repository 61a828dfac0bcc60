import { MultipartReader } from './multipart';

/** Follows one connection to its end, or until it is aborted; whether it was ever open. */
export type Source = (url: string, onFrame: (frame: Blob) => void, signal: AbortSignal) => Promise<boolean>;

/** Frames over a WebSocket. */
export const socketFrames: Source = (url, onFrame, signal) =>
  new Promise((resolve) => {
    const socket = new WebSocket(url);
    let opened = false;
    const end = () => {
      signal.removeEventListener('abort', abort);
      resolve(opened);
    };
    const abort = () => {
      // On a connection that is lost, closing takes as long as the browser waits for an answer. Nobody else does.
      socket.onmessage = null;
      socket.close();
      end();
    };
    signal.addEventListener('abort', abort);
    socket.binaryType = 'blob';
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }: MessageEvent<Blob>) => onFrame(data);
    socket.onclose = end;
  });

/** Frames as MJPEG, for networks that let no WebSocket through. */
export const mjpegFrames: Source = async (url, onFrame, signal) => {
  let opened = false;
  try {
    const response = await fetch(url, { cache: 'no-store', signal });
    const reader = response.ok ? response.body?.getReader() : undefined;
    const parts = new MultipartReader();
    opened = reader !== undefined;
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      for (const part of parts.push(read.value)) onFrame(new Blob([part], { type: 'image/jpeg' }));
    }
  } catch {
    // It broke, was aborted, or is no such stream.
  }
  return opened;
};
