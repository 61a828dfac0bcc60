import '../shared/base.css';
import './stage.css';
import './embed.css';
import { openPlayer } from './open';

openPlayer();
