import { RoomAudioRenderer, RoomContext } from '@livekit/components-react';
import { useCallback, useState } from 'react';
import type { Ending } from '../shared/ending';
import { type Device, deviceAccess } from './access';
import { Bar } from './Bar';
import { Chat } from './Chat';
import type { Choices } from './choices';
import { Layout } from './Layout';
import { Messages } from './Messages';
import { TopBar } from './TopBar';
import { deviceTrouble } from './trouble';
import { useMessages } from './useMessages';
import { useRoomSession } from './useRoomSession';

interface Props {
  readonly title: string;
  readonly joinUrl: string;
  readonly choices: Choices;
  readonly onEnd: (ending: Ending) => void;
}

export function Conference({ title, joinUrl, choices, onEnd }: Props) {
  const messages = useMessages();
  const { say } = messages;
  const onTrouble = useCallback(
    (device: Device, error: unknown) => {
      const sentence = deviceTrouble(device, error, deviceAccess(device));
      if (sentence) say(sentence);
    },
    [say],
  );
  const session = useRoomSession({ joinUrl, choices, onEnd, onTrouble });
  const [chatOpen, setChatOpen] = useState(false);
  const [unread, setUnread] = useState(0);
  return (
    <RoomContext.Provider value={session.room}>
      <div className="meet" data-testid="meet-room" data-state={session.link} data-chat={chatOpen || undefined}>
        <TopBar title={title} />
        <Layout link={session.link} failures={session.failures} />
        <Chat open={chatOpen} onClose={() => setChatOpen(false)} onUnread={setUnread} />
        <Bar
          session={session}
          chatOpen={chatOpen}
          unread={unread}
          onChat={() => setChatOpen((open) => !open)}
          onTrouble={onTrouble}
        />
        <Messages items={messages.items} onDismiss={messages.dismiss} />
      </div>
      <RoomAudioRenderer />
    </RoomContext.Provider>
  );
}
