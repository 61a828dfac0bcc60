import { expect, test } from 'vitest';
import { playerOptions } from './options';

test('controls, sound and autoplay are on unless asked otherwise', () => {
  expect(playerOptions('')).toEqual({ controls: true, muted: false, autoplay: true });
});

test('each is switched by its parameter', () => {
  expect(playerOptions('?controls=0&muted=1&autoplay=0')).toEqual({
    controls: false,
    muted: true,
    autoplay: false,
  });
});

test('words are understood, and a name alone means yes', () => {
  expect(playerOptions('?controls=FALSE&muted&autoplay=off')).toEqual({
    controls: false,
    muted: true,
    autoplay: false,
  });
});

test('other parameters do no harm', () => {
  expect(playerOptions('?token=abc')).toEqual(playerOptions(''));
});
