import { type RoomPageConfig, readConfig } from '../shared/config';
import { addControls } from './controls';
import { Loudness } from './loudness';
import { notices } from './notice';
import { type PlayerOptions, playerOptions } from './options';
import { Stage } from './stage';
import { Visit } from './visit';

/** Draws the stage at once; LiveKit's client is fetched behind it. */
export function openPlayer(options: PlayerOptions = playerOptions(location.search)): void {
  const config = readConfig() as RoomPageConfig;
  document.title = config.title;
  const stage = new Stage(config.title);
  const loudness = new Loudness(options.muted);
  if (options.controls) addControls(stage, loudness);
  document.getElementById('app')?.replaceChildren(stage.root);

  const start = () => {
    stage.offer(undefined, 'play', start);
    stage.show('connecting', notices.connecting);
    new Visit(config, stage, loudness).run().catch(() =>
      stage.show(
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
    stage.show('waiting');
    stage.offer('Play', 'play', start);
  }
}
