export type Device = 'camera' | 'microphone' | 'screen';

/**
 * What stands between the page and a device: plain http, a browser without devices for pages (in many apps), or the page
 * around this one. `perhaps framed` is a frame in a browser that does not say what the page around it allows.
 */
export type DeviceAccess = 'given' | 'insecure' | 'missing' | 'framed' | 'perhaps framed';

/** The browser's devices; TypeScript takes them for always there, and they are not. */
export const mediaDevices = (): MediaDevices | undefined =>
  (navigator as { readonly mediaDevices?: MediaDevices }).mediaDevices;

export const canShareScreen = (): boolean => typeof mediaDevices()?.getDisplayMedia === 'function';

interface Policy {
  readonly allowsFeature: (feature: string) => boolean;
}

const FEATURES: Readonly<Record<Device, string>> = {
  camera: 'camera',
  microphone: 'microphone',
  screen: 'display-capture',
};

export function deviceAccess(device: Device): DeviceAccess {
  if (!isSecureContext) return 'insecure';
  if (!mediaDevices()) return 'missing';
  if (window.top === window) return 'given';
  const { permissionsPolicy, featurePolicy } = document as {
    readonly permissionsPolicy?: Policy;
    readonly featurePolicy?: Policy;
  };
  const policy = permissionsPolicy ?? featurePolicy;
  if (!policy) return 'perhaps framed';
  return policy.allowsFeature(FEATURES[device]) ? 'given' : 'framed';
}
