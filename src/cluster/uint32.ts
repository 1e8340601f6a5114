/** Unsigned integers of 32 bits in bytes, big endian: a DataView for each message costs more than its numbers. */

export function readUint32(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] ?? 0) * 2 ** 24;
  return high + (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
}

/** A typed array keeps the lowest eight bits of what it is given. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
