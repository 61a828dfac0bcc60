export interface PlayerOptions {
  readonly controls: boolean;
  readonly muted: boolean;
  readonly autoplay: boolean;
}

const NO = new Set(['0', 'false', 'no', 'off']);

function flag(params: URLSearchParams, name: string, otherwise: boolean): boolean {
  const value = params.get(name);
  return value === null ? otherwise : !NO.has(value.trim().toLowerCase());
}

export function playerOptions(search: string): PlayerOptions {
  const params = new URLSearchParams(search);
  return {
    controls: flag(params, 'controls', true),
    muted: flag(params, 'muted', false),
    autoplay: flag(params, 'autoplay', true),
  };
}
