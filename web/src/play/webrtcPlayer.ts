import {
  type RemoteParticipant,
  type RemoteTrack,
  type RemoteTrackPublication,
  Room,
  RoomEvent,
  Track,
} from 'livekit-client';
import { reconnectPolicy } from '../shared/reconnectPolicy';
import { stayConnected } from '../shared/roomConnection';
import { type Candidate, choose } from './choose';
import type { Loudness } from './loudness';
import { notices } from './notice';
import type { PlayerView } from './view';
import { type Shown, Tiles } from './tiles';

const ALONE_MS = 1_500;

type Showable = Candidate & Shown;

/** Plays a room by WebRTC: the only part of the player that knows LiveKit. */
export class WebRtcPlayer {
  private readonly room = new Room({
    adaptiveStream: true,
    dynacast: true,
    reconnectPolicy,
    // It would also leave, and not come back, when a phone puts the page to sleep; see leaveWithPage.
    disconnectOnPageLeave: false,
  });
  private readonly tiles: Tiles;
  private readonly sounds = new Map<RemoteTrack, HTMLMediaElement>();
  private leaving = new AbortController();
  private link: 'connecting' | 'reconnecting' | 'connected' = 'connecting';
  private failures = 0;
  private seen = false;
  private soundSince = 0;

  constructor(
    private readonly joinUrl: string,
    private readonly view: PlayerView,
    private readonly loudness: Loudness,
  ) {
    this.tiles = new Tiles(view.videos, () => this.refresh());
    const refresh = () => this.refresh();
    for (const event of [
      RoomEvent.ParticipantDisconnected,
      RoomEvent.TrackPublished,
      RoomEvent.TrackUnpublished,
      RoomEvent.TrackMuted,
      RoomEvent.TrackUnmuted,
      RoomEvent.ParticipantNameChanged,
    ] as const) {
      this.room.on(event, refresh);
    }
    this.room
      .on(RoomEvent.TrackSubscribed, (track) => this.arrive(track))
      .on(RoomEvent.TrackUnsubscribed, (track) => this.vanish(track))
      .on(RoomEvent.Disconnected, refresh)
      .on(RoomEvent.AudioPlaybackStatusChanged, () => this.offerSound())
      .on(RoomEvent.VideoPlaybackStatusChanged, () => this.offerSound());
    loudness.onChange(() => this.offerSound());
    leaveWithPage(() => this.leaving.abort());
  }

  async run(): Promise<void> {
    this.leaving = new AbortController();
    const ending = await stayConnected({
      room: this.room,
      joinUrl: this.joinUrl,
      body: {},
      signal: this.leaving.signal,
      onLink: (link, failures) => {
        this.link = link;
        this.failures = failures;
        this.refresh();
      },
    });
    this.leaving.abort();
    this.tiles.set([]);
    this.view.offer(undefined, 'play', () => undefined);
    const again = () => void this.run();
    if (ending.kind === 'closed') {
      const { title, detail } = ending;
      this.view.show('ended', { title, detail, action: 'Watch again' }, again);
    } else if (ending.kind === 'refused') {
      const { title, detail } = ending.problem;
      this.view.show('error', { title, detail, action: 'Try again' }, again);
    }
  }

  /** Leaves without a notice; it cannot be run again. */
  stop(): void {
    this.leaving.abort();
    this.room.removeAllListeners();
    for (const element of this.sounds.values()) element.remove();
    this.view.root.removeAttribute('data-sound-only');
  }

  private arrive(track: RemoteTrack): void {
    if (track.kind === Track.Kind.Audio) {
      const element = track.attach();
      if (this.sounds.size === 0) {
        this.soundSince = Date.now();
        setTimeout(() => this.refresh(), ALONE_MS + 50);
      }
      this.sounds.set(track, element);
      element.hidden = true;
      this.view.root.append(element);
      this.loudness.add(element);
    }
    this.refresh();
  }

  private vanish(track: RemoteTrack): void {
    const element = this.sounds.get(track);
    if (element) {
      this.sounds.delete(track);
      this.loudness.remove(element);
      track.detach(element);
      element.remove();
    }
    this.refresh();
  }

  private refresh(): void {
    if (this.leaving.signal.aborted) return;
    const shown = choose(this.candidates());
    this.tiles.set(shown);
    const soundOnly = this.soundOnly();
    this.view.root.toggleAttribute('data-sound-only', soundOnly);
    if (this.link === 'reconnecting') this.view.show('reconnecting', notices.reconnecting);
    else if (this.link === 'connecting')
      this.view.show('connecting', this.failures > 1 ? notices.slow : notices.connecting);
    else if (this.tiles.moving || soundOnly) this.live();
    else if (shown.length > 0 || this.sounds.size > 0) this.view.show('connecting', notices.starting);
    else this.view.show('waiting', this.seen ? notices.paused : notices.waiting);
    this.offerSound();
  }

  /** Sound often comes a moment before its picture, and then it is not alone. */
  private soundOnly(): boolean {
    const pictures = [...this.room.remoteParticipants.values()].some((participant) =>
      [...participant.videoTrackPublications.values()].some((publication) => !publication.isMuted),
    );
    return this.sounds.size > 0 && !pictures && Date.now() - this.soundSince >= ALONE_MS;
  }

  private live(): void {
    this.seen = true;
    this.view.show('live');
  }

  private candidates(): Showable[] {
    return [...this.room.remoteParticipants.values()].flatMap((participant) =>
      [...participant.trackPublications.values()].flatMap((publication) =>
        showable(participant, publication),
      ),
    );
  }

  private offerSound(): void {
    if (this.leaving.signal.aborted) return;
    const start = () => {
      this.loudness.setMuted(false);
      void this.room.startVideo();
      void this.room.startAudio();
    };
    if (this.link !== 'connected') this.view.offer(undefined, 'play', start);
    else if (!this.room.canPlaybackVideo) this.view.offer('Tap to play', 'play', start);
    else if (this.sounds.size > 0 && !this.room.canPlaybackAudio && !this.loudness.muted)
      this.view.offer('Tap for sound', 'volumeOff', start);
    else this.view.offer(undefined, 'play', start);
  }
}

function leaveWithPage(leave: () => void): void {
  window.addEventListener('pagehide', leave);
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
}

function showable(participant: RemoteParticipant, publication: RemoteTrackPublication): Showable[] {
  const { track } = publication;
  if (publication.kind !== Track.Kind.Video || !track) return [];
  return [
    {
      sid: publication.trackSid,
      kind: publication.source === Track.Source.ScreenShare ? 'screen' : 'camera',
      dark: publication.isMuted,
      since: participant.joinedAt?.getTime() ?? 0,
      name: participant.name || participant.identity,
      track,
    },
  ];
}
