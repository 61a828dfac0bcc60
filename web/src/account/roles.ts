import type { Me } from './api';

export type Role = 'owner' | 'admin' | 'member' | 'viewer';

const BELOW_OWNER: readonly Role[] = ['admin', 'member', 'viewer'];

/** What each role is for, in a few words. */
export const MEANINGS: Readonly<Record<Role, string>> = {
  owner: 'everything',
  admin: 'all but owners',
  member: 'creates and joins rooms',
  viewer: 'joins rooms',
};

/** The roles that the caller gives and takes: none that may do more than the caller, as the API decides. */
export function givable({ scopes }: Pick<Me, 'scopes'>): readonly Role[] {
  if (!scopes.includes('members:write')) return [];
  return scopes.includes('admin') ? ['owner', ...BELOW_OWNER] : BELOW_OWNER;
}
