import { type RoomPageConfig, readConfig } from '../shared/config';
import { addControls } from './controls';
import { Loudness } from './loudness';
import { notices } from './notice';
import { type PlayerOptions, playerOptions } from './options';
import { PlayerView } from './view';
import { Player } from './player';

/** Draws the view at once; LiveKit's client is fetched behind it. */
export function openPlayer(options: PlayerOptions = playerOptions(location.search)): void {
  const config = readConfig() as RoomPageConfig;
  document.title = config.title;
  const view = new PlayerView(config.title);
  const loudness = new Loudness(options.muted);
  if (options.controls) addControls(view, loudness);
  document.getElementById('app')?.replaceChildren(view.root);

  const start = () => {
    view.offer(undefined, 'play', start);
    view.show('connecting', notices.connecting);
    new Player(config, view, loudness).run().catch(() =>
      view.show(
        'error',
        {
          title: 'The player did not load',
          detail: 'Check your internet connection.',
          action: 'Try again',
        },
        () => location.reload(),
      ),
    );
  };
  if (options.autoplay) start();
  else {
    view.show('waiting');
    view.offer('Play', 'play', start);
  }
}
