import { useConnectionQualityIndicator, useLocalParticipant } from '@livekit/components-react';
import { ConnectionQuality } from 'livekit-client';
import { useEffect, useState } from 'react';
import type { Link } from '../shared/roomConnection';
import { clock } from './clock';

type Sent = 'picture' | 'sound' | 'nothing';

const WORDS: Readonly<Record<Exclude<Link, 'connected'>, string>> = {
  connecting: 'Connecting…',
  reconnecting: 'Connection lost; trying again…',
};

const SENT: Readonly<Record<Sent, string>> = {
  picture: 'Live',
  sound: 'Sound only',
  nothing: 'Nothing is sent',
};

/** What the broadcast sends, for how long, and whether the line is too weak for it. */
export function OnAir({ link }: { readonly link: Link }) {
  const { localParticipant, isCameraEnabled, isScreenShareEnabled, isMicrophoneEnabled } = useLocalParticipant();
  const { quality } = useConnectionQualityIndicator({ participant: localParticipant });
  const pictured = isCameraEnabled || isScreenShareEnabled;
  const sent: Sent = pictured ? 'picture' : isMicrophoneEnabled ? 'sound' : 'nothing';
  const live = link === 'connected' && sent !== 'nothing';
  const seconds = useSecondsOf(live);
  const weak =
    link === 'connected' && (quality === ConnectionQuality.Poor || quality === ConnectionQuality.Lost);
  return (
    <p className="on-air" data-testid="on-air" data-state={link} data-sent={sent} role="status">
      <span>{link === 'connected' ? SENT[sent] : WORDS[link]}</span>
      {live && <time aria-hidden="true">{clock(seconds)}</time>}
      {weak && <em>Weak connection</em>}
    </p>
  );
}

function useSecondsOf(running: boolean): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (!running) return;
    const began = Date.now() - seconds * 1000;
    const timer = setInterval(() => setSeconds(Math.floor((Date.now() - began) / 1000)), 500);
    return () => clearInterval(timer);
    // The seconds before an interruption count on; they are read once, when it ends.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [running]);
  return seconds;
}
