import { type IconName, icons } from '../shared/icons';

type Attributes = Readonly<Record<string, string>>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name: IconName): SVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', icons[name]);
  svg.append(path);
  return svg;
}

export function iconButton(name: IconName, label: string, onClick: () => void): HTMLButtonElement {
  const button = el('button', { type: 'button', class: 'control' }, icon(name));
  relabel(button, name, label);
  button.addEventListener('click', onClick);
  return button;
}

export function relabel(button: HTMLButtonElement, name: IconName, label: string): void {
  button.setAttribute('aria-label', label);
  button.title = label;
  button.querySelector('path')?.setAttribute('d', icons[name]);
}
