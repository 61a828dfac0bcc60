import { facingModeFromLocalTrack, type LocalAudioTrack, type LocalVideoTrack } from 'livekit-client';
import { useEffect, useRef } from 'react';
import type { Choices } from './choices';
import { Icon } from '../shared/Icon';
import { hueOf, initials } from '../shared/initials';
import { MicLevel } from './MicLevel';
import type { Preview } from './usePreview';

interface Props {
  readonly choices: Choices;
  readonly camera: Preview<LocalVideoTrack>;
  readonly microphone: Preview<LocalAudioTrack>;
  readonly onCamera: (on: boolean) => void;
  readonly onMicrophone: (on: boolean) => void;
}

export function PreviewCard({ choices, camera, microphone, onCamera, onMicrophone }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const { track } = camera;
  useEffect(() => {
    const element = video.current;
    if (!element || !track) return;
    track.attach(element);
    return () => void track.detach(element);
  }, [track]);
  const mirrored = track && facingModeFromLocalTrack(track).facingMode !== 'environment';
  return (
    <section className="preview" aria-label="How others will see you">
      <video ref={video} muted playsInline autoPlay hidden={!track} data-mirrored={mirrored || undefined} />
      {!track && (
        <span className="avatar" data-hue={hueOf(choices.name)} aria-hidden="true">
          {initials(choices.name)}
        </span>
      )}
      <div className="preview-bar">
        <button
          type="button"
          className="round"
          data-testid="prejoin-microphone"
          aria-pressed={choices.microphone}
          aria-label={choices.microphone ? 'Switch the microphone off' : 'Switch the microphone on'}
          data-off={!choices.microphone || microphone.trouble ? true : undefined}
          onClick={() => onMicrophone(!choices.microphone)}
        >
          <Icon name={choices.microphone && !microphone.trouble ? 'mic' : 'micOff'} />
        </button>
        <button
          type="button"
          className="round"
          data-testid="prejoin-camera"
          aria-pressed={choices.camera}
          aria-label={choices.camera ? 'Switch the camera off' : 'Switch the camera on'}
          data-off={!choices.camera || camera.trouble ? true : undefined}
          onClick={() => onCamera(!choices.camera)}
        >
          <Icon name={choices.camera && !camera.trouble ? 'camera' : 'cameraOff'} />
        </button>
      </div>
      {microphone.track && <MicLevel track={microphone.track} />}
    </section>
  );
}
