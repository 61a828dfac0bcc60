import type { Ref } from 'react';
import { MEANINGS, type Role } from './roles';

interface Props {
  readonly label: string;
  /** Whether the label is for screen readers alone. */
  readonly hidden?: boolean;
  readonly value: Role;
  readonly roles: readonly Role[];
  readonly onRole: (role: Role) => void;
  readonly ref?: Ref<HTMLSelectElement>;
}

export function RoleSelect({ label, hidden = false, value, roles, onRole, ref }: Props) {
  return (
    <label className="field">
      <span className={hidden ? 'visually-hidden' : undefined}>{label}</span>
      <select ref={ref} value={value} onChange={(event) => onRole(event.target.value as Role)}>
        {roles.map((role) => (
          <option key={role} value={role}>
            {hidden ? role : `${role}: ${MEANINGS[role]}`}
          </option>
        ))}
      </select>
    </label>
  );
}
