import { expect, test } from 'vitest';
import { MultipartReader } from './multipart';

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const part = (body: string) =>
  `Content-Type: image/jpeg\r\nContent-Length: ${body.length}\r\nX-Timestamp: 1.000\r\n\r\n${body}\r\n--frame\r\n`;
const texts = (parts: Uint8Array[]) => parts.map((one) => String.fromCharCode(...one));

const STREAM = `--frame\r\n${part('one')}${part('two\r\n\r\n--frame')}${part('')}${part('\xff\xd8\xff\xd9')}`;
const PARTS = ['one', 'two\r\n\r\n--frame', '', '\xff\xd8\xff\xd9'];

test.each([1, 2, 7, 40, 1_000])('parts are found however the bytes come, %i at a time', (size) => {
  const reader = new MultipartReader();
  const found: string[] = [];
  for (let from = 0; from < STREAM.length; from += size) {
    found.push(...texts(reader.push(bytes(STREAM.slice(from, from + size)))));
  }
  expect(found).toEqual(PARTS);
});

test('what is no such stream is refused, and not collected', () => {
  expect(() => new MultipartReader().push(bytes('<html>'.repeat(1_000)))).toThrow('no head');
  expect(() => new MultipartReader().push(bytes('--frame\r\nContent-Type: image/jpeg\r\n\r\n'))).toThrow('no length');
});
