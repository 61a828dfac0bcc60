import { RoomAudioRenderer, RoomContext } from '@livekit/components-react';
import { useState } from 'react';
import type { Choices } from '../devices/choices';
import { useDeviceTrouble } from '../devices/useDeviceTrouble';
import { useRoomSession } from '../devices/useRoomSession';
import type { Ending } from '../shared/ending';
import { Messages } from '../shared/Messages';
import { Bar } from './Bar';
import { Chat } from './Chat';
import { Layout } from './Layout';
import { TopBar } from './TopBar';

interface Props {
  readonly title: string;
  readonly joinUrl: string;
  readonly choices: Choices;
  readonly onEnd: (ending: Ending) => void;
}

export function Conference({ title, joinUrl, choices, onEnd }: Props) {
  const { messages, onTrouble } = useDeviceTrouble();
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
