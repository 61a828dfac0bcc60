import { afterEach, expect, test, vi } from 'vitest';
import { deviceAccess, mediaDevices } from './access';

function page(options: { secure?: boolean; devices?: boolean; framed?: boolean; policy?: string[] }): void {
  const self = {};
  vi.stubGlobal('isSecureContext', options.secure ?? true);
  vi.stubGlobal('navigator', options.devices === false ? {} : { mediaDevices: {} });
  vi.stubGlobal('window', Object.assign(self, { top: options.framed ? {} : self }));
  const { policy } = options;
  vi.stubGlobal('document', policy ? { featurePolicy: { allowsFeature: (name: string) => policy.includes(name) } } : {});
}

afterEach(() => void vi.unstubAllGlobals());

test('what stands between a page and a device', () => {
  page({});
  expect(deviceAccess('camera')).toBe('given');
  page({ secure: false, devices: false });
  expect(deviceAccess('camera')).toBe('insecure');
  page({ devices: false });
  expect(deviceAccess('camera')).toBe('missing');
  expect(mediaDevices()).toBeUndefined();
  page({ framed: true });
  expect(deviceAccess('camera')).toBe('perhaps framed');
  page({ framed: true, policy: ['camera'] });
  expect(deviceAccess('camera')).toBe('given');
  expect(deviceAccess('microphone')).toBe('framed');
});
