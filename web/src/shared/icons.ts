/** Line icons on a grid of 24, one path each. */
export const icons = {
  chat: 'M20 4H4a1 1 0 0 0-1 1v11a1 1 0 0 0 1 1h3v4l5-4h8a1 1 0 0 0 1-1V5a1 1 0 0 0-1-1z',
  close: 'M6 6l12 12M18 6L6 18',
  camera: 'M15 6H4a2 2 0 0 0-2 2v8a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2zM17 11l5-3v8l-5-3',
  cameraOff:
    'M3 3l18 18M10 6h5a2 2 0 0 1 2 2v5l5 3V8l-5 3M17 17a2 2 0 0 1-2 1H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2',
  chevron: 'M7 14l5-5 5 5',
  flip: 'M4 8a8 8 0 0 1 14-2M18 2v4h-4M20 16a8 8 0 0 1-14 2M6 22v-4h4',
  focus: 'M4 5h16v14H4zM14 13h6v6h-6z',
  fullscreen: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  leave: 'M10 4H5v16h5M15 8l4 4-4 4M19 12H9',
  mic: 'M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5 11a7 7 0 0 0 14 0M12 18v3',
  micOff:
    'M3 3l18 18M9 9v3a3 3 0 0 0 5 2M15 11V6a3 3 0 0 0-5.7-1.3M5 11a7 7 0 0 0 11 5.7M19 11a7 7 0 0 1-.6 2.8M12 18v3',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6.5 6.5 0 0 1 3.5 5.5',
  pin: 'M9 3h6l-1 7 4 4H6l4-4zM12 14v7',
  pip: 'M4 5h16v14H4zM12 12h6v5h-6z',
  play: 'M8 5l11 7-11 7z',
  retry: 'M20 12a8 8 0 1 1-2.5-5.8M20 3v4.5h-4.5',
  screen:
    'M4 4h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM8 20h8M12 13V7M9 9.5L12 7l3 2.5',
  send: 'M4 12l16-8-5 16-4-7z',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  stop: 'M7 7h10v10H7z',
  volume: 'M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12',
  volumeOff: 'M4 9v6h4l5 4V5L8 9zM17 9.5l5 5M22 9.5l-5 5',
  warning: 'M12 4L2.5 20h19zM12 10v4.5M12 17.5v.01',
} as const;

export type IconName = keyof typeof icons;
