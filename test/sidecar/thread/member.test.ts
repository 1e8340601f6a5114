/** A member of a cluster: which of its upstreams look at a change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeBeat } from "../../../src/cluster/member-messages.ts";
import { ClusterMember, type MemberUpstream } from "../../../src/sidecar/thread/member.ts";
import { MemoryServer } from "../../support/memory-engine.ts";
import { type Cleanup, until } from "../../support/until.ts";

function watched(): MemberUpstream & { looks: number; isOwned: boolean } {
  return {
    looks: 0,
    isOwned: false,
    isExclusive: false,
    servesAlone: false,
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

const LEASE_MS = 3_000;

/** A member of two upstreams that it owns, and beats of another one that name the first. */
async function scene(t: Cleanup) {
  const server = new MemoryServer();
  const env = { now: () => performance.now(), report() {} };
  const member = new ClusterMember("one", LEASE_MS, server.join("one"), env);
  t.after(() => member.end(0));
  const upstreams = { u: watched(), v: watched() };
  for (const [name, upstream] of Object.entries(upstreams)) member.add(name, upstream);
  member.start(false);
  await until(() => upstreams.u.isOwned && upstreams.v.isOwned, { what: "both upstreams" });
  const other = server.join("two");
  await other.connect({ contact() {}, fault: assert.fail });
  const owned = [{ upstream: "u", term: 1, address: "two-1", phase: "ready" }];
  return {
    member,
    looks: () => [upstreams.u.looks, upstreams.v.looks] as const,
    /** Deliveries are microtasks, so that no tick of the member comes in between. */
    async beat() {
      other.beat(encodeBeat({ member: "two", at: { ms: 0, wallMs: 0 }, owned, released: [] }));
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    },
  };
}

test("a beat of another member makes only the upstreams look that it names", async (t) => {
  const { looks, beat } = await scene(t);
  const [before, beforeV] = looks();
  await beat();
  const [after, afterV] = looks();
  assert.ok(after > before);
  assert.equal(afterV, beforeV);
});

test("a member draws no name twice", async (t) => {
  const { member } = await scene(t);
  assert.notEqual(member.uniqueName(), member.uniqueName());
});
