import type { Device, DeviceAccess } from './access';

const SECURE = 'Browsers allow this only on https addresses and on localhost.';

/** What went wrong with a device, as a sentence that says what to do. Nothing, if it was the person's wish. */
export function deviceTrouble(device: Device, error: unknown, access: DeviceAccess): string | undefined {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  if (access === 'insecure') return `The ${device} cannot be used on this page. ${SECURE}`;
  if (access === 'missing') return `This browser gives pages no ${device}. Open the link in another browser.`;
  if (access === 'framed') {
    return `The page around this one does not allow the ${device}. Open the link in a tab of its own; the iframe of that page needs allow="camera; microphone".`;
  }
  switch (name) {
    case 'NotAllowedError':
    case 'PermissionDeniedError':
    case 'SecurityError':
      if (device === 'screen') return undefined;
      return access === 'perhaps framed'
        ? `The ${device} is blocked. Allow it beside the address bar; if that does not help, open the link in a tab of its own.`
        : `Your browser blocks the ${device}. Allow it beside the address bar, then switch it on again.`;
    case 'NotFoundError':
    case 'DevicesNotFoundError':
    case 'OverconstrainedError':
      return `No ${device} was found. Plug one in, or go on without.`;
    case 'NotReadableError':
    case 'TrackStartError':
    case 'AbortError':
      return `The ${device} is busy. Close other programs that use it, then switch it on again.`;
    case 'DeviceUnsupportedError':
      return `This browser cannot share a ${device}.`;
    default:
      return `The ${device} could not be switched on. Try again, or go on without.`;
  }
}

/** A device picked last time may be unplugged today; then any other is better than none. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && ['NotFoundError', 'OverconstrainedError'].includes(error.name);
