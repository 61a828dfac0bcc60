import { expect, test } from 'vitest';
import { givable } from './roles';

test.each([
  ['an owner', ['admin', 'members:write', 'members:read'], ['owner', 'admin', 'member', 'viewer']],
  ['an admin', ['members:write', 'members:read'], ['admin', 'member', 'viewer']],
  ['a member', ['members:read'], []],
  ['a viewer', [], []],
])('%s gives these roles', (_, scopes, roles) => {
  expect(givable({ scopes })).toEqual(roles);
});
