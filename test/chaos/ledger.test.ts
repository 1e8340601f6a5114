/** The ledger itself, which must find every untruth. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { delay } from "../support/until.ts";
import { Ledger } from "./ledger.ts";

type Answer = Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[];

/** Makes one request with this response, received by the upstream that many times; returns the ledger's findings. */
async function found(
  answer: Answer,
  times: number,
  options: { batch?: number; timeoutMs?: number; afterMs?: number } = {},
): Promise<string[]> {
  const ledger = new Ledger(() => 50);
  const post = async (): Promise<Response> => {
    await delay(options.afterMs ?? 0);
    return Response.json(answer);
  };
  await ledger.request({ post }, { timeoutMs: options.timeoutMs ?? 5_000, batch: options.batch });
  return [...ledger.judge(new Uint8Array(options.batch ?? 1).fill(times)).problems];
}

const reply = (n: number, id: unknown = 1) => ({ jsonrpc: "2.0", id, result: [n] });
const failure = (sent: unknown) => ({ jsonrpc: "2.0", id: 1, error: { data: { code: "connection_lost", sent } } });

test("true claims are no problem", async () => {
  assert.deepEqual(await found(reply(0), 1), []);
  assert.deepEqual(await found([reply(0), failure("maybe")], 1, { batch: 2 }), []);
  assert.deepEqual(await found(failure("no"), 0), []);
  assert.deepEqual(await found(failure("maybe"), 0), []);
  assert.deepEqual(await found(failure("yes"), 1), []);
});

const lies: ReadonlyMap<string, readonly [RegExp, ...Parameters<typeof found>]> = new Map([
  ["another's reply", [/not its own/, reply(7), 1]],
  ["another's id", [/not its own/, reply(0, 2), 1]],
  ["replies in another order", [/not its own/, [reply(1), reply(0)], 1, { batch: 2 }]],
  ["fewer replies than requests", [/2 requests got 1 replies/, [reply(0)], 1, { batch: 2 }]],
  ["a message delivered twice", [/delivered 2 times/, failure("maybe"), 2]],
  ["a message that was received but not sent", [/sent: no, but was received/, failure("no"), 1]],
  ["a message that was surely sent but not received", [/yes, but never received/, failure("yes"), 0]],
  ["a reply to a message that was never received", [/reply, but never received/, reply(0), 0]],
  ["a failure without a valid sent", [/without a valid sent/, failure(undefined), 0]],
  ["a reply long after its deadline", [/after its deadline/, reply(0), 1, { timeoutMs: 1, afterMs: 100 }]],
]);

for (const [what, [problem, ...request]] of lies) {
  test(`${what} is found`, async () => {
    assert.match((await found(...request)).join("\n"), problem);
  });
}

test("a missing response is found, unless its caller left", async () => {
  const post = (): Promise<Response> => Promise.reject(new Error("cut"));
  const ledger = new Ledger(() => 50);
  await ledger.request({ post }, { timeoutMs: 100 });
  await ledger.request({ post }, { timeoutMs: 100, leaveAfterMs: 10 });
  const { problems, ends } = ledger.judge(new Uint8Array(2));
  assert.equal(ends.left, 2);
  assert.deepEqual(problems.length, 1, problems.join());
});
