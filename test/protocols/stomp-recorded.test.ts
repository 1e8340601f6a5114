/** STOMP in recordings: masked frames that are frames still. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFrames } from "../../src/protocols/stomp-frame.ts";
import { maskStomp } from "../../src/protocols/stomp-recorded.ts";

const SECRET = "s3cr3tt";

test("a masked frame has neither secrets nor tokens, in its headers and in JSON, and a length that fits", () => {
  for (const [frame, expected] of [
    [
      "CONNECT\naccept-version:1.2,1.1\nhost:/\nlogin:me\npasscode:pw\nx-key:k\n\n\0",
      "CONNECT\naccept-version:1.2,1.1\nhost:/\nlogin:(redacted)\npasscode:(redacted)\nx-key:(redacted)\n\n\0",
    ],
    [
      'SEND\ndestination:/a\nAuthorization:Bearer x\n\n{"token":"issued","n":1.50}\0',
      'SEND\ndestination:/a\nAuthorization:(redacted)\n\n{"token":"(redacted)","n":1.50}\0',
    ],
    [
      'SEND\ndestination:/a\ncontent-length:18\n\n{"token":"issued"}\0',
      'SEND\ndestination:/a\ncontent-length:(redacted)\n\n{"token":"(redacted)"}\0',
    ],
    [
      '\nMESSAGE\r\nmessage-id:1\r\ncontent-length:18\r\n\r\n{"token":"issued"}\0\nRECEIPT\nreceipt-id:7\n\n\0',
      'MESSAGE\nmessage-id:1\ncontent-length:22\n\n{"token":"(redacted)"}\0RECEIPT\nreceipt-id:7\n\n\0',
    ],
    ["MESSAGE\ncontent-length:2\n\na\0\0\n", "MESSAGE\ncontent-length:2\n\na\0\0\n"],
    [
      `ERROR\nlogin:me\nmessage:no ${SECRET}\n\nnot ${SECRET}\0`,
      "ERROR\nlogin:(redacted)\nmessage:no (redacted)\n\nnot (redacted)\0",
    ],
    [`no frame ${SECRET}`, "no frame (redacted)"],
    ["\n", "\n"],
  ] as const) {
    assert.equal(maskStomp(frame, [SECRET]), expected);
    if (frame !== `no frame ${SECRET}`) assert.ok(!("why" in readFrames(expected)));
    const bytes = maskStomp(new TextEncoder().encode(frame), [SECRET]);
    assert.equal(new TextDecoder().decode(bytes as Uint8Array), expected);
  }
});
