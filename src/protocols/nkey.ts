/** Keys of NATS users as their texts (https://github.com/nats-io/nkeys), and the credentials files that hold them. */

export interface NatsCredentials {
  /** The 32 bytes from which the key pair of Ed25519 is made. */
  readonly seed: Uint8Array;
  /** The token of a user that an account has signed; a bare nkey has none. */
  readonly jwt: string | undefined;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** The first bits of a seed, and of a user's public key: with them the texts begin with S, and U. */
const SEED = 18 << 3;
const USER = 20 << 3;
const KEY_BYTES = 32;
const SUM_BYTES = 2;

const JWT = /-{3,}BEGIN NATS USER JWT-{3,}\s+(\S+)/;
const SEED_IN_FILE = /-{3,}BEGIN USER NKEY SEED-{3,}\s+(\S+)/;

/** Reads a credentials file's text, or the seed of a user's nkey; undefined if it is neither. */
export function readCredentials(text: string): NatsCredentials | undefined {
  const jwt = JWT.exec(text)?.[1];
  const seed = readSeed(jwt === undefined ? text.trim() : (SEED_IN_FILE.exec(text)?.[1] ?? ""));
  return seed && { seed, jwt };
}

/** A seed has its own kind in five bits, that of the key in the eight behind, and a sum at the end. */
function readSeed(text: string): Uint8Array | undefined {
  const bytes = fromBase32(text);
  if (bytes?.length !== 2 + KEY_BYTES + SUM_BYTES || toBase32(bytes) !== text) return undefined;
  const [first = 0, second = 0] = bytes;
  const isOfUser = (first & 0xf8) === SEED && (((first & 7) << 5) | (second >> 3)) === USER;
  const summed = bytes.subarray(0, -SUM_BYTES);
  const isWhole = sumOf(summed).every((byte, index) => byte === bytes[summed.length + index]);
  return isOfUser && isWhole ? summed.subarray(2) : undefined;
}

/** The text of a user's public key. */
export function publicKeyText(key: Uint8Array): string {
  const bytes = Uint8Array.of(USER, ...key);
  return toBase32(Uint8Array.of(...bytes, ...sumOf(bytes)));
}

function fromBase32(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    if (digit < 0) return undefined;
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Uint8Array.from(bytes);
}

function toBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += DIGITS[(value >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + DIGITS[(value << (5 - bits)) & 31];
}

/** CRC-16 of XMODEM, the lower byte first. */
function sumOf(bytes: Uint8Array): readonly [number, number] {
  let sum = 0;
  for (const byte of bytes) {
    sum ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) sum = ((sum << 1) ^ (sum & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return [sum & 0xff, sum >> 8];
}
