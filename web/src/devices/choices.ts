import { recall, remember } from '../shared/storage';

export interface Choices {
  readonly name: string;
  readonly camera: boolean;
  readonly microphone: boolean;
  readonly cameraId: string;
  readonly microphoneId: string;
  readonly speakerId: string;
}

const KEY = 'stagedoor.meet';

const defaults: Choices = {
  name: '',
  camera: true,
  microphone: true,
  cameraId: '',
  microphoneId: '',
  speakerId: '',
};

export function parseChoices(text: string | undefined): Choices {
  let stored: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    if (typeof value === 'object' && value !== null) stored = value as Record<string, unknown>;
  } catch {
    // Another program's data under this key is no reason to fail.
  }
  const same = Object.entries(defaults).filter(([key, value]) => typeof stored[key] === typeof value);
  return { ...defaults, ...Object.fromEntries(same.map(([key]) => [key, stored[key]])) };
}

export const recallChoices = (): Choices => parseChoices(recall(KEY));
export const rememberChoices = (choices: Choices): void => remember(KEY, JSON.stringify(choices));
