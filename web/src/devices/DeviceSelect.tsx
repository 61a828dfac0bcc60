import { useId } from 'react';
import type { IconName } from '../shared/icons';
import { Icon } from '../shared/Icon';
import { useDevices } from './useDevices';

interface Props {
  readonly kind: MediaDeviceKind;
  readonly label: string;
  readonly icon: IconName;
  readonly value: string;
  readonly since: unknown;
  readonly onChange: (deviceId: string) => void;
}

export function DeviceSelect({ kind, label, icon, value, since, onChange }: Props) {
  const id = useId();
  const devices = useDevices(kind, since);
  if (devices.length === 0) return null;
  const known = devices.some((device) => device.deviceId === value) ? value : (devices[0]?.deviceId ?? '');
  return (
    <label className="device-select" htmlFor={id}>
      <Icon name={icon} />
      <span className="visually-hidden">{label}</span>
      <select id={id} value={known} onChange={(event) => onChange(event.target.value)}>
        {devices.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
    </label>
  );
}
