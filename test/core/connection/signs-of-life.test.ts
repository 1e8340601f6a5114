/** Tests of what failures say about when the upstream was last heard. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lastSigns, SignsOfLife, signsSince } from "../../../src/core/connection/signs-of-life.ts";

const NOW = 60_000;

test("the description of a dead peer names its last frame and its last pong, or that there was none", () => {
  for (const [signs, pings, text] of [
    [{ openedAt: 58_500 }, true, "no frame and no pong came since it was opened 1.5 s ago"],
    [{ openedAt: 58_500 }, false, "no frame came since it was opened 1.5 s ago"],
    [
      { openedAt: 0, frameAt: 59_700 },
      true,
      "the last frame came 300 ms ago, and no pong since it was opened 60.0 s ago",
    ],
    [{ openedAt: 0, frameAt: 50_000 }, false, "the last frame came 10.0 s ago"],
    [{ openedAt: 0, pongAt: 55_800 }, true, "no frame came since it was opened 60.0 s ago, the last pong 4.2 s ago"],
    [
      { openedAt: -150_000, frameAt: -140_000, pongAt: 40_000 },
      true,
      "the last frame came 200 s ago, the last pong 20.0 s ago",
    ],
    [{}, true, "no frame and no pong came on this connection"],
  ] as const) {
    assert.equal(lastSigns(signs, NOW, pings), text);
  }
});

test("the description of a silence says what came since something was sent, and what before", () => {
  for (const [signs, text] of [
    [{ openedAt: 0 }, "no frame came since it was sent, nor before on its connection, opened 60.0 s ago"],
    [
      { openedAt: 0, pongAt: 59_000 },
      "no frame came since it was sent, nor before on its connection, opened 60.0 s ago; the last pong came 1.0 s ago",
    ],
    [{ openedAt: 0, frameAt: 49_999 }, "no frame came since it was sent, the last 10.0 s ago"],
    [{ openedAt: 0, frameAt: 50_000 }, "other frames came, the last 10.0 s ago"],
    [
      { openedAt: 0, frameAt: 59_950, pongAt: 59_000 },
      "other frames came, the last 50 ms ago; the last pong came 1.0 s ago",
    ],
    [{}, "no frame came since it was sent"],
  ] as const) {
    assert.equal(signsSince(50_000, signs, NOW), text);
  }
});

test("each connection has its own record, until it ends", () => {
  const signs = new SignsOfLife();
  const first = signs.begin(1);
  signs.begin(2);
  first.frameAt = 5;
  assert.deepEqual([signs.of(1)?.frameAt, signs.of(2)?.frameAt], [5, undefined]);
  signs.end(1);
  assert.equal(signs.of(1), undefined);
});
