/** Tests of the upstream's own requests in a journal: the state of their replies, and places that have none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../../../src/core/messages/journal.ts";
import { UpstreamRequests } from "../../../src/core/messages/upstream-requests.ts";

const stateIn = (journal: Journal, seq: number) => {
  const kept = journal.requestAt(seq);
  return typeof kept === "string" ? kept : kept.request.reply;
};

test("a request is wanted until it is given, in every journal that has it, or its connection is lost", () => {
  const requests = new UpstreamRequests();
  const [one, other] = [new Journal("one", { count: 9, bytes: 9_999 }), new Journal("two", { count: 9, bytes: 9_999 })];
  for (const connection of [1, 2]) {
    const request = requests.on(connection);
    for (const journal of [one, other]) journal.append(`ask ${connection}`, "text", 0, undefined, request);
  }
  const kept = one.requestAt(1);
  assert.ok(typeof kept !== "string");
  assert.deepEqual([kept.data, kept.request.connection, kept.request.reply], ["ask 1", 1, "wanted"]);
  kept.request.markReplied();
  requests.onLost(1);
  assert.deepEqual([stateIn(one, 1), stateIn(other, 1), stateIn(one, 2)], ["given", "given", "wanted"]);
  requests.onLost(2);
  const page = other.read({ after: "earliest", limit: 9 });
  assert.deepEqual(
    page?.entries.map((entry) => ("gap" in entry ? "gap" : entry.reply)),
    ["given", "lost"],
  );
  assert.equal(requests.on(2).reply, "wanted", "a connection that is there again is another");
});

test("a place has no request if it is unknown, a gap, dropped or a plain message", () => {
  const journal = new Journal("now", { count: 2, bytes: 9_999 }, ["before"]);
  const requests = new UpstreamRequests();
  assert.deepEqual(
    [0, 1, 2].map((seq) => stateIn(journal, seq)),
    ["unknown", "unknown", "unknown"],
  );
  journal.append("plain", "text", 0);
  journal.append("ask", "text", 0, undefined, requests.on(1));
  assert.deepEqual(
    [1, 2, 3, 4].map((seq) => stateIn(journal, seq)),
    ["dropped", "plain", "wanted", "unknown"],
  );
});
