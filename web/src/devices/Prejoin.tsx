import { type SyntheticEvent, useId, useState } from 'react';
import { Brand } from '../shared/Brand';
import { type Choices, recallChoices, rememberChoices } from './choices';
import { DeviceSelect } from './DeviceSelect';
import { PreviewCard } from './PreviewCard';
import { useCameraPreview, useMicrophonePreview } from './usePreview';

export interface PrejoinTexts {
  readonly heading: string;
  readonly nameHint: string;
  readonly button: string;
  /** Why the button does nothing without a name. */
  readonly nameless: string;
}

interface Props {
  readonly title: string;
  readonly texts: PrejoinTexts;
  /** Whether the page plays sound, so that a speaker is to be chosen. */
  readonly listens: boolean;
  readonly onJoin: (choices: Choices) => void;
}

export function Prejoin({ title, texts, listens, onJoin }: Props) {
  const [choices, setChoices] = useState(recallChoices);
  const change = (part: Partial<Choices>) => setChoices((now) => ({ ...now, ...part }));
  const camera = useCameraPreview({ on: choices.camera, deviceId: choices.cameraId });
  const microphone = useMicrophonePreview({ on: choices.microphone, deviceId: choices.microphoneId });
  const name = choices.name.trim();
  const hint = useId();
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (!name) return;
    rememberChoices({ ...choices, name });
    // What does not work now is not tried again at the door; the buttons inside are there for that.
    onJoin({
      ...choices,
      name,
      camera: choices.camera && !camera.trouble,
      microphone: choices.microphone && !microphone.trouble,
    });
  };
  const troubles = [camera.trouble, microphone.trouble].filter((trouble) => trouble !== undefined);
  return (
    <div className="lobby">
      <Brand title={title} />
      <main className="prejoin">
        <PreviewCard
          choices={choices}
          camera={camera}
          microphone={microphone}
          onCamera={(on) => change({ camera: on })}
          onMicrophone={(on) => change({ microphone: on })}
        />
        <form className="prejoin-form" onSubmit={submit}>
          <h2>{texts.heading}</h2>
          <label className="field">
            <span>Your name</span>
            <input
              data-testid="prejoin-name"
              value={choices.name}
              onChange={(event) => change({ name: event.target.value })}
              autoComplete="name"
              maxLength={80}
              placeholder={texts.nameHint}
              required
            />
          </label>
          <div className="devices">
            <DeviceSelect
              kind="videoinput"
              label="Camera"
              icon="camera"
              value={choices.cameraId}
              since={camera.track}
              onChange={(cameraId) => change({ cameraId })}
            />
            <DeviceSelect
              kind="audioinput"
              label="Microphone"
              icon="mic"
              value={choices.microphoneId}
              since={microphone.track}
              onChange={(microphoneId) => change({ microphoneId })}
            />
            {listens && (
              <DeviceSelect
                kind="audiooutput"
                label="Speaker"
                icon="volume"
                value={choices.speakerId}
                since={microphone.track}
                onChange={(speakerId) => change({ speakerId })}
              />
            )}
          </div>
          {troubles.length > 0 && (
            <ul className="troubles" role="status">
              {troubles.map((trouble) => (
                <li key={trouble}>{trouble}</li>
              ))}
            </ul>
          )}
          <div className="prejoin-go">
            <button
              type="submit"
              className="button"
              data-testid="prejoin-join"
              disabled={!name}
              aria-describedby={name ? undefined : hint}
            >
              {texts.button}
            </button>
            <p id={hint} aria-hidden={Boolean(name)} data-done={Boolean(name)}>
              {texts.nameless}
            </p>
          </div>
        </form>
      </main>
    </div>
  );
}
