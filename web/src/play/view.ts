import mark from '../shared/mark.svg';
import { el, icon } from './dom';
import type { Notice, StageState } from './notice';

/** Everything that is shown beside the video itself. It knows nothing of LiveKit. */
export class PlayerView {
  readonly root = el('main', { class: 'stage', 'data-testid': 'stage', 'data-state': 'connecting' });
  readonly videos = el('div', { class: 'stage-videos' });
  readonly bar = el('div', { class: 'stage-bar' });
  private readonly notice = el('div', { class: 'notice', role: 'status', 'aria-live': 'polite' });
  private readonly gate = el('button', { type: 'button', class: 'gate', hidden: '' });
  private shown = '';

  constructor(title: string) {
    const badge = el('span', { class: 'live-badge' }, 'Live');
    const top = el('header', { class: 'stage-top' }, badge, el('h1', {}, title));
    this.root.append(this.videos, this.notice, top, this.bar, this.gate);
  }

  get state(): StageState {
    return this.root.dataset.state as StageState;
  }

  show(state: StageState, notice?: Notice, onAction?: () => void): void {
    this.root.dataset.state = state;
    this.notice.hidden = !notice;
    // A screen reader would announce the same words again.
    const key = JSON.stringify(notice ?? null);
    if (key === this.shown) return;
    this.shown = key;
    this.notice.replaceChildren(...(notice ? noticeParts(notice, onAction) : []));
  }

  /** The one big button over the picture, for what a browser allows only after a tap. */
  offer(label: string | undefined, symbol: 'play' | 'volumeOff', onTap: () => void): void {
    this.gate.hidden = label === undefined;
    if (label === undefined) return;
    this.gate.replaceChildren(icon(symbol), el('span', {}, label));
    this.gate.setAttribute('aria-label', label);
    this.gate.onclick = onTap;
  }
}

function noticeParts(notice: Notice, onAction?: () => void): Node[] {
  const parts: Node[] = [];
  parts.push(
    notice.busy
      ? el('div', { class: 'spinner', 'aria-hidden': 'true' })
      : el('img', { class: 'notice-mark', src: mark, alt: '', width: '56', height: '56' }),
  );
  parts.push(el('p', { class: 'notice-title' }, notice.title));
  if (notice.detail) parts.push(el('p', { class: 'notice-detail' }, notice.detail));
  if (notice.action && onAction) {
    const button = el('button', { type: 'button', class: 'button' }, notice.action);
    button.addEventListener('click', onAction);
    parts.push(button);
  }
  return parts;
}
