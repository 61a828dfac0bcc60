import '@livekit/components-styles/components/participant';
import '../shared/base.css';
import '../devices/room.css';
import './meet.css';
import '../devices/prejoin.css';
import './tile.css';
import '../devices/bar.css';
import './chat.css';
import { createRoot } from 'react-dom/client';
import { type RoomPageConfig, readConfig } from '../shared/config';
import { App } from './App';

const config = readConfig() as RoomPageConfig;
const root = document.getElementById('app');
document.title = config.title;
if (root) createRoot(root).render(<App config={config} />);
