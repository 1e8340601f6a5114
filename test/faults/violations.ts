/** Violations of RFC 6455 by a server: each must end the connection, and nothing else. */
import { Buffer } from "node:buffer";
import { closePayload, encodeFrame, OPCODE } from "./frames.ts";
import type { Peer } from "./peer.ts";

export type Fault = (peer: Peer) => void;

/** Close codes that no endpoint may send, and reserved ones. */
export const ILLEGAL_CLOSE_CODES: readonly number[] = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535];

const NOT_UTF8 = Buffer.from([0xc3, 0x28, 0xa0, 0xff]);

export function illegalClose(code: number): Fault {
  return (peer) => peer.close(code);
}

/** Declares `length` bytes and sends none. */
export function oversized(length: number | bigint): Fault {
  return (peer) => peer.frame({ opcode: OPCODE.text, declaredLength: length });
}

/** Sends one message in `count` frames of one byte each, written in slices so that the kernel can take them. */
export function tinyFragments(count: number): Fault {
  return (peer) => {
    const first = encodeFrame({ opcode: OPCODE.text, payload: "x", fin: false });
    const middle = encodeFrame({ opcode: OPCODE.continuation, payload: "x", fin: false });
    const last = encodeFrame({ opcode: OPCODE.continuation, payload: "x" });
    peer.raw(first);
    const slice = 20_000;
    for (let sent = 0; sent < count - 2; sent += slice) {
      peer.raw(Buffer.concat(Array.from({ length: Math.min(slice, count - 2 - sent) }, () => middle)));
    }
    peer.raw(last);
  };
}

/** Sends the beginning of a message that goes on in `count` empty frames. */
export function emptyFragments(count: number): Fault {
  return (peer) => {
    peer.raw(encodeFrame({ opcode: OPCODE.text, payload: "x", fin: false }));
    peer.raw(Buffer.alloc(2 * count, encodeFrame({ opcode: OPCODE.continuation, payload: "", fin: false })));
  };
}

/** All violations by name, for tests that try each. */
export const violations: ReadonlyMap<string, Fault> = new Map<string, Fault>([
  ...ILLEGAL_CLOSE_CODES.map((code): [string, Fault] => [`close code ${code}`, illegalClose(code)]),
  ["close with one byte", (peer) => peer.frame({ opcode: OPCODE.close, payload: Buffer.from([3]) })],
  ["close with a reason that is not UTF-8", (peer) => peer.close(1000, NOT_UTF8)],
  [
    "close frame of 126 bytes",
    (peer) => peer.frame({ opcode: OPCODE.close, payload: closePayload(1000, "x".repeat(124)) }),
  ],
  ["close in fragments", (peer) => peer.frame({ opcode: OPCODE.close, payload: closePayload(1000), fin: false })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Fault] => [
    `opcode ${opcode}`,
    (peer) => peer.frame({ opcode, payload: "x" }),
  ]),
  ...[1, 2, 4, 7].map((rsv): [string, Fault] => [
    `reserved bits ${rsv}`,
    (peer) => peer.frame({ opcode: OPCODE.text, payload: "x", rsv }),
  ]),
  ["reserved bit on a ping", (peer) => peer.frame({ opcode: OPCODE.ping, rsv: 4 })],
  ["masked frame", (peer) => peer.frame({ opcode: OPCODE.text, payload: "x", mask: true })],
  ["ping of 126 bytes", (peer) => peer.ping("x".repeat(126))],
  ["ping in fragments", (peer) => peer.frame({ opcode: OPCODE.ping, payload: "x", fin: false })],
  ["continuation of nothing", (peer) => peer.frame({ opcode: OPCODE.continuation, payload: "x" })],
  [
    "text inside a fragmented text",
    (peer) => {
      peer.frame({ opcode: OPCODE.text, payload: "x", fin: false });
      peer.text("y");
    },
  ],
  ["text that is not UTF-8", (peer) => peer.text(NOT_UTF8)],
  ["length of 2^40", oversized(2n ** 40n)],
  ["length of 2^63", oversized(2n ** 63n)],
]);
