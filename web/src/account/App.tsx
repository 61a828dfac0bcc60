import type { AccountPageConfig } from '../shared/config';
import { Brand } from '../shared/Brand';
import { Account } from './Account';
import { Invitation } from './Invitation';
import { Members } from './Members';
import { Rooms } from './Rooms';
import { SignIn } from './SignIn';
import { Welcome } from './Welcome';

const VIEWS = {
  'sign-in': SignIn,
  welcome: Welcome,
  invitation: Invitation,
  account: Account,
  rooms: Rooms,
  members: Members,
};

export function App({ view }: { readonly view: AccountPageConfig['view'] }) {
  const View = VIEWS[view];
  return (
    <div className="account-page">
      <Brand title="Stagedoor" />
      <main>
        <View />
      </main>
    </div>
  );
}
