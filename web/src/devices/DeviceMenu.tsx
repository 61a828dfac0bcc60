import { useEffect, useId, useRef, useState } from 'react';
import { DeviceList } from './DeviceList';
import { Icon } from '../shared/Icon';

interface Props {
  readonly label: string;
  readonly kinds: readonly MediaDeviceKind[];
}

export function DeviceMenu({ label, kinds }: Props) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      setOpen(false);
      opener.current?.focus();
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('keydown', onKey);
    };
  }, [open]);
  return (
    <div className="menu" ref={box}>
      <button
        type="button"
        ref={opener}
        className="menu-opener"
        aria-label={`Choose: ${label.toLowerCase()}`}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <Icon name="chevron" />
      </button>
      {open && (
        <div className="menu-sheet" id={id}>
          {kinds.map((kind) => (
            <DeviceList key={kind} kind={kind} onDone={() => setOpen(false)} />
          ))}
        </div>
      )}
    </div>
  );
}
