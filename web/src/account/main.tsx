import '../shared/base.css';
import './account.css';
import { createRoot } from 'react-dom/client';
import { type AccountPageConfig, readConfig } from '../shared/config';
import { App } from './App';

const TITLES = {
  'sign-in': 'Sign in',
  welcome: 'Welcome',
  invitation: 'Invitation',
  account: 'Your account',
  rooms: 'Rooms',
  members: 'Members',
};

const { view } = readConfig() as AccountPageConfig;
const root = document.getElementById('app');
document.title = `${TITLES[view]} · Stagedoor`;
if (root) createRoot(root).render(<App view={view} />);
