/** Tests of failover with keys: a message that replicas know by one must not go where they do not look for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../../src/config/upstream-settings.ts";
import { failed } from "../../../src/core/exchange/failures.ts";
import { requestInTurn } from "../../../src/http/call/failover.ts";
import { fakeUpstream } from "../fake-upstream.ts";

const key = { id: "k", digest: "d" };
const absent = failed({ code: "upstream_down", sent: "no", detail: "by the test" }, undefined);

async function servedBy(isShared: boolean, isKeyed: boolean): Promise<string> {
  const settings = upstreamSchema.parse({ url: "ws://127.0.0.1:1", failover: ["next"] });
  const first = fakeUpstream("first", { isShared, settings, request: async () => absent });
  const upstreams = new Map([first, fakeUpstream("next")].map((each) => [each.name, each]));
  const request = { kind: "request", body: "{}", timeoutMs: 1_000, key: isKeyed ? key : undefined } as const;
  const { upstream, outcome } = await requestInTurn(upstreams, first, request, undefined);
  return `${upstream.name} ${outcome.type}`;
}

test("a request with a key stays with an upstream that replicas share, and any other fails over", async () => {
  assert.equal(await servedBy(true, true), "first failed");
  assert.equal(await servedBy(true, false), "next reply");
  assert.equal(await servedBy(false, true), "next reply");
});
