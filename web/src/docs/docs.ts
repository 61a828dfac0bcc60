import '../shared/base.css';
import './docs.css';
import { type DocsPageConfig, readConfig } from '../shared/config';
import mark from '../shared/mark.svg';

const { openapiUrl } = readConfig() as DocsPageConfig;

function header(): HTMLElement {
  const logo = new Image(30, 30);
  logo.src = mark;
  logo.alt = '';
  const title = document.createElement('p');
  title.textContent = 'API reference';
  const source = document.createElement('a');
  source.href = openapiUrl;
  source.textContent = 'OpenAPI document';
  const bar = document.createElement('header');
  bar.className = 'docs-top';
  bar.append(logo, title, source);
  return bar;
}

async function open(root: HTMLElement): Promise<void> {
  const reader = document.createElement('main');
  const wait = document.createElement('p');
  wait.className = 'docs-wait';
  wait.textContent = 'Loading…';
  root.replaceChildren(header(), wait, reader);
  // The renderer follows this class, not the system's wish.
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
  dark.addEventListener('change', follow);
  follow();
  try {
    const { show } = await import('./reader');
    show(reader, openapiUrl, () => wait.remove());
  } catch {
    wait.textContent = 'The reference did not load. Check your internet connection and reload the page.';
  }
}

const root = document.getElementById('app');
if (root) void open(root);
