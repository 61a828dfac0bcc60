import '../shared/base.css';
import './stage.css';
import './play.css';
import { openPlayer } from './open';

openPlayer();
