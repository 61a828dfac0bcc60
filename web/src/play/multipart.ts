const HEAD_END = [13, 10, 13, 10];
const LONGEST_HEAD = 4_096;

/**
 * Takes a `multipart/x-mixed-replace` stream apart, such as MJPEG. An `img` element can show one, but says neither that a
 * picture came nor that none comes any more. Each part states its length.
 */
export class MultipartReader {
  private bytes = new Uint8Array();

  /** The bodies of the parts that are whole with these bytes, the oldest first. */
  push(more: Uint8Array): Uint8Array<ArrayBuffer>[] {
    const joined = new Uint8Array(this.bytes.length + more.length);
    joined.set(this.bytes);
    joined.set(more, this.bytes.length);
    this.bytes = joined;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let part = this.take(); part; part = this.take()) parts.push(part);
    return parts;
  }

  private take(): Uint8Array<ArrayBuffer> | undefined {
    const end = indexOf(this.bytes, HEAD_END);
    if (end < 0) {
      if (this.bytes.length > LONGEST_HEAD) throw new Error('a part has no head');
      return undefined;
    }
    const head = new TextDecoder('latin1').decode(this.bytes.subarray(0, end));
    const length = /^content-length:[ \t]*(\d+)[ \t]*$/im.exec(head)?.[1];
    if (length === undefined) throw new Error('a part has no length');
    const start = end + HEAD_END.length;
    const stop = start + Number(length);
    if (this.bytes.length < stop) return undefined;
    const part = this.bytes.slice(start, stop);
    this.bytes = this.bytes.slice(stop);
    return part;
  }
}

function indexOf(bytes: Uint8Array, wanted: readonly number[]): number {
  for (let from = bytes.indexOf(wanted[0] ?? 0); from >= 0; from = bytes.indexOf(wanted[0] ?? 0, from + 1)) {
    if (wanted.every((byte, place) => bytes[from + place] === byte)) return from;
  }
  return -1;
}
