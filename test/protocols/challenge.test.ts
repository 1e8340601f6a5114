/** Tests of challenge–response logins. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { withResponse } from "../../src/protocols/challenge.ts";

/** The example of obs-websocket's documentation, with the response that its other clients compute. */
const password = "supersecretpassword";
const salt = "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=";
const challenge = "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=";
const answer = "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=";

const settings = { at: "/d/authentication", password };
const identify = '{"op":1,"d":{"rpcVersion":1}}';

test("the response takes the challenge's place in the message", () => {
  const hello = JSON.stringify({ op: 0, d: { authentication: { challenge, salt } } });
  for (const frame of [hello, new TextEncoder().encode(hello)]) {
    const sent = withResponse(identify, settings, frame);
    assert.deepEqual(JSON.parse(sent), { op: 1, d: { rpcVersion: 1, authentication: answer } });
    assert.ok(!sent.includes(password));
  }
});

test("a frame without a complete challenge leaves the message unchanged", () => {
  const frames = [
    { op: 0, d: {} },
    { op: 0 },
    { op: 0, d: { authentication: null } },
    { op: 0, d: { authentication: { challenge } } },
    { op: 0, d: { authentication: { salt } } },
    { op: 0, d: { authentication: { challenge: 1, salt } } },
    [],
  ].map((frame) => JSON.stringify(frame));
  for (const frame of [...frames, "", "hello", new Uint8Array([255])]) {
    assert.equal(withResponse(identify, settings, frame), identify);
  }
});
