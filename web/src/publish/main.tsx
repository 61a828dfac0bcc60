import '../shared/base.css';
import '../devices/room.css';
import '../devices/prejoin.css';
import '../devices/bar.css';
import './publish.css';
import { createRoot } from 'react-dom/client';
import { type RoomPageConfig, readConfig } from '../shared/config';
import { App } from './App';

const config = readConfig() as RoomPageConfig;
const root = document.getElementById('app');
document.title = `Publish: ${config.title}`;
if (root) createRoot(root).render(<App config={config} />);
