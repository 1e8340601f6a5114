/** A moment of a cluster's chaos, and the judge of its readers: `npm run chaos -- --cluster` is the long form. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import type { GapFacts, Item } from "../support/messages.ts";
import { runtime } from "../support/root.ts";
import { clusterChaos } from "./cluster.ts";
import { MessageOrder, ReadLog } from "./cluster-readers.ts";

const message = (seq: number, n: number, epoch = "e-1"): Item => ({
  cursor: `${epoch}-${seq}`,
  at: "",
  data: { jsonrpc: "2.0", method: "told", params: [n] },
});
const gap = (seq: number, reason = "away"): Item => ({ cursor: `e-1-${seq}`, at: "", gap: { reason } as GapFacts });

/** Lets readers read, one list of items each, and returns what was found. */
function found(...readers: readonly (readonly Item[])[]): readonly string[] {
  const problems: string[] = [];
  const problem = (text: string) => void problems.push(text);
  const order = new MessageOrder(problem);
  for (const [n, items] of readers.entries()) new ReadLog(`reader ${n}`, order, problem).take(items);
  return problems;
}

test("messages that rise, and are missing in gaps only, are no problem", () => {
  const items = [gap(1), message(2, 3), message(3, 4), gap(4), gap(5), message(6, 9)];
  assert.deepEqual(found(items, items, items.slice(3)), []);
});

const wrongs: ReadonlyMap<string, readonly [RegExp, ...(readonly Item[])[]]> = new Map([
  ["a missing message without a gap", [/read 3 at e-1-2 after 1, without a gap/, [message(1, 1), message(2, 3)]]],
  [
    "a gap that does not stand where messages are missing",
    [/without a gap/, [message(1, 1), gap(2), message(3, 2), message(4, 4)]],
  ],
  ["a message that comes twice", [/read message 1 at e-1-2 after 1/, [message(1, 1), message(2, 1)]]],
  ["messages in another order", [/read message 1/, [gap(1), message(2, 2), message(3, 1)]]],
  ["an entry that is missing", [/read 2 at e-1-3 after e-1-1/, [message(1, 1), message(3, 2)]]],
  ["a gap that goes back", [/read a gap: away at e-1-2 after e-1-3/, [message(3, 1), gap(2)]]],
  ["another epoch", [/after e-1-1/, [message(1, 1), message(2, 2, "f-1")]]],
  ["a gap for want of room", [/the reason overflow/, [gap(1, "overflow")]]],
  ["another message for another reader", [/which is 1 for another/, [message(1, 1)], [message(1, 2)]]],
]);

for (const [what, [problem, ...readers]] of wrongs) {
  test(`${what} is found`, () => {
    assert.match(found(...readers).join("\n"), problem);
  });
}

test("a replica that is killed under load leaves every invariant of the cluster", { skip: lacksNats }, async (t) => {
  const options = { seed: 3, ms: 1, on: [runtime, runtime], only: "killed together", leaseMs: 500, longestMs: 500, t };
  const { figures, problems } = await clusterChaos(options);
  t.diagnostic(JSON.stringify(figures));
  assert.deepEqual(problems, [], JSON.stringify(figures));
});
