// A message with bytes beside it, as one binary frame of a websocket.

export interface Packet {
  readonly content: unknown;
  readonly buffers: readonly DataView[];
}

/**
 * Read a binary frame: a number of parts, their lengths (32 bits each, little endian), then the parts, header and parts
 * each padded to 8 bytes. Part 0 is JSON; the others are what `{"mlwidgets:buffer": i}` in it stands for.
 */
export function readPacket(frame: ArrayBuffer): Packet {
  const head = new DataView(frame);
  const count = head.getUint32(0, true);
  let at = padded(4 + 4 * count);
  const parts = Array.from({ length: count }, (_, i) => {
    const length = head.getUint32(4 + 4 * i, true);
    const part = new DataView(frame, at, length);
    at += padded(length);
    return part;
  });
  const [json, ...buffers] = parts;
  return { content: JSON.parse(new TextDecoder().decode(json)), buffers };
}

function padded(length: number): number {
  return (length + 7) & ~7;
}
