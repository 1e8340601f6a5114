/** A member of a cluster: which of its upstreams look at a change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeBeat } from "../../../src/cluster/member-messages.ts";
import { ClusterMember, type MemberUpstream } from "../../../src/sidecar/thread/member.ts";
import { MemoryServer } from "../../support/memory-engine.ts";
import { until } from "../../support/until.ts";

function watched(): MemberUpstream & { looks: number; isOwned: boolean } {
  return {
    looks: 0,
    isOwned: false,
    isExclusive: false,
    take: () => ({ more() {}, end() {} }),
    own() {
      this.isOwned = true;
    },
    resign() {},
    contactLost() {},
    released() {},
    look() {
      this.looks++;
    },
    fail: assert.fail,
  };
}

test("a beat of another member makes only the upstreams look that it names", async (t) => {
  const server = new MemoryServer();
  const member = new ClusterMember("one", 3_000, server.join("one"), { now: () => performance.now(), report() {} });
  t.after(() => member.end(0));
  const upstreams = { u: watched(), v: watched() };
  for (const [name, upstream] of Object.entries(upstreams)) member.add(name, upstream);
  member.start(false);
  await until(() => upstreams.u.isOwned && upstreams.v.isOwned, { what: "both upstreams" });
  const other = server.join("two");
  await other.connect({ contact() {}, fault: assert.fail });
  const looks = () => [upstreams.u.looks, upstreams.v.looks] as const;
  // Deliveries are microtasks, so that no tick of the member comes in between.
  const [before, beforeV] = looks();
  const owned = [{ upstream: "u", term: 1, address: "two-1", phase: "ready" }];
  other.beat(encodeBeat({ member: "two", at: { ms: 0, wallMs: 0 }, owned, released: [] }));
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  assert.ok(upstreams.u.looks > before);
  assert.equal(upstreams.v.looks, beforeV);
});
