import { el, iconButton, relabel } from './dom';
import type { Loudness } from './loudness';
import type { PlayerView } from './view';

export function addControls(view: PlayerView, loudness: Loudness): void {
  const sound = iconButton('volume', 'Mute', () => loudness.setMuted(!loudness.muted));
  sound.classList.add('for-video');
  const slider = el('input', { type: 'range', class: 'volume for-video', min: '0', max: '1', step: '0.05' });
  slider.setAttribute('aria-label', 'Volume');
  slider.addEventListener('input', () => loudness.setVolume(slider.valueAsNumber));
  const refresh = () => {
    relabel(sound, loudness.muted ? 'volumeOff' : 'volume', loudness.muted ? 'Unmute' : 'Mute');
    slider.value = String(loudness.muted ? 0 : loudness.volume);
    slider.style.setProperty('--level', `${Number(slider.value) * 100}%`);
  };
  loudness.onChange(refresh);
  refresh();
  view.bar.append(sound, slider, el('span', { class: 'gap' }));
  addPictureInPicture(view);
  addFullscreen(view);
  addKeys(view, loudness);
  showWhileActive(view.root);
}

function addPictureInPicture(view: PlayerView): void {
  if (!document.pictureInPictureEnabled) return;
  const button = iconButton('pip', 'Picture in picture', () => {
    const video = view.videos.querySelector('video');
    if (document.pictureInPictureElement) void document.exitPictureInPicture();
    else void video?.requestPictureInPicture().catch(() => undefined);
  });
  button.classList.add('for-video');
  view.bar.append(button);
}

interface AppleVideo extends HTMLVideoElement {
  webkitEnterFullscreen?: () => void;
}

function toggleFullscreen(view: PlayerView): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (document.fullscreenEnabled) void view.root.requestFullscreen().catch(() => undefined);
  else view.videos.querySelector<AppleVideo>('video')?.webkitEnterFullscreen?.();
}

function addFullscreen(view: PlayerView): void {
  const possible = document.fullscreenEnabled || 'webkitEnterFullscreen' in HTMLVideoElement.prototype;
  if (possible) view.bar.append(iconButton('fullscreen', 'Full screen', () => toggleFullscreen(view)));
}

function addKeys(view: PlayerView, loudness: Loudness): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'm') loudness.setMuted(!loudness.muted);
    else if (event.key === 'f') toggleFullscreen(view);
  });
}

const IDLE_MS = 2_800;

function showWhileActive(root: HTMLElement): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wake = () => {
    root.dataset.active = '';
    clearTimeout(timer);
    timer = setTimeout(() => delete root.dataset.active, IDLE_MS);
  };
  for (const event of ['pointermove', 'pointerdown', 'keydown', 'focusin'] as const) {
    root.addEventListener(event, wake);
  }
  root.addEventListener('pointerleave', () => delete root.dataset.active);
  wake();
}
