/** Tests of an upstream that two members share, over a message server in memory; their exchanges are the tests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../../src/config/upstream-settings.ts";
import { failed } from "../../../src/core/exchange/failures.ts";
import type { Outcome } from "../../../src/core/outcome.ts";
import { tallyCells, tallyIn } from "../../../src/core/tally.ts";
import { Budget } from "../../../src/core/util/budget.ts";
import type { FromThread } from "../../../src/sidecar/contract.ts";
import type { HostMessage } from "../../../src/sidecar/thread/keyed-requests.ts";
import { ClusterMember } from "../../../src/sidecar/thread/member.ts";
import { SharedUpstream } from "../../../src/sidecar/thread/shared-upstream.ts";
import { MemoryServer } from "../../support/memory-engine.ts";
import { type Cleanup, until } from "../../support/until.ts";

const LEASE_MS = 1_000;
const KEEP_MS = 60_000;
const TIMEOUT_MS = 60_000;
const upstream = "up";

class Replica {
  readonly member: ClusterMember;
  readonly shared: SharedUpstream;
  readonly posted: FromThread[] = [];
  /** The messages that its exchange has got. */
  readonly sent: HostMessage[] = [];
  isOwner = false;

  constructor(t: Cleanup, server: MemoryServer) {
    const name = `m${server.members.size}`;
    const now = () => performance.now();
    this.member = new ClusterMember(name, LEASE_MS, server.join(name), { now, report() {} });
    this.shared = new SharedUpstream(
      upstream,
      upstreamSchema.parse({ url: "wss://example.org" }),
      LEASE_MS,
      KEEP_MS,
      this.member,
      {
        now,
        post: (message) => this.posted.push(message),
        work: (work, argument) => work(argument),
        budget: Budget.alone(),
        tally: tallyIn(tallyCells()),
      },
    );
    t.after(async () => {
      this.shared.handle({ type: "remove", upstream });
      await this.member.end(0);
    });
  }

  async start(): Promise<void> {
    this.member.start(false);
    this.shared.start({
      handle: (command) => {
        if (command.type === "request" || command.type === "send") this.sent.push(command);
      },
      own: () => {
        this.isOwner = true;
      },
      resign() {},
    });
  }

  request(seq: number, key?: string): void {
    const deadline = performance.now() + TIMEOUT_MS;
    const rest = { body: `body ${seq}`, deadline, key: key === undefined ? undefined : { id: key, digest: "d" } };
    this.shared.handle({ type: "request", upstream, seq, kind: "request", ...rest });
  }

  /** Waits until the exchange has got so many messages. @returns the last one's number */
  async given(count: number): Promise<number> {
    await until(() => this.sent.length === count, { what: () => `${count} messages; ${this.sent.length}` });
    return this.sent.at(-1)?.seq ?? 0;
  }

  /** Waits for the outcome of a request. */
  async told(seq: number, type: "settled" | "late" = "settled"): Promise<Outcome> {
    const found = () => this.posted.find((each) => each.type === type && each.seq === seq);
    const message = await until(found, { within: 2_000, what: () => `${type} ${seq}: ${JSON.stringify(this.posted)}` });
    assert.ok(message.type === "settled" || message.type === "late");
    return message.outcome;
  }
}

function codeOf(outcome: Outcome): readonly string[] {
  return outcome.type === "failed" ? [outcome.failure.code, outcome.failure.sent] : [outcome.type];
}

/** An owner, and another member. */
async function scene(t: Cleanup): Promise<readonly [Replica, Replica]> {
  const server = new MemoryServer();
  const [owner, other] = [new Replica(t, server), new Replica(t, server)];
  await owner.start();
  await until(() => owner.isOwner, { what: "the owner" });
  await other.start();
  await until(() => other.member.destinationOf(upstream).type === "other", { what: "the owner's beat" });
  return [owner, other];
}

test("an upstream that is removed answers all that other members have asked", async (t) => {
  const [owner, other] = await scene(t);
  other.request(1);
  const late = await owner.given(1);
  const timeout = failed({ code: "reply_timeout", sent: "maybe", detail: "by the test" }, undefined);
  owner.shared.post({ type: "settled", upstream, seq: late, outcome: timeout });
  assert.deepEqual(codeOf(await other.told(1)), ["reply_timeout", "maybe"]);
  other.request(2);
  await owner.given(2);
  other.request(3, "sent");
  other.request(4, "sent");
  await owner.given(3);
  owner.shared.handle({ type: "remove", upstream });
  // Not first by the next owner, whose term would end what the former had.
  for (const outcome of await Promise.all([other.told(1, "late"), ...[2, 3, 4].map((seq) => other.told(seq))])) {
    assert.deepEqual(codeOf(outcome), ["connection_lost", "maybe"]);
    assert.match(outcome.type === "failed" ? outcome.failure.detail : "", /was removed/);
  }
  assert.equal(other.isOwner, false);
});

test("what an owner has not sent that removes the upstream is sent by the next", async (t) => {
  const [owner, other] = await scene(t);
  const engine = owner.member.engine as { claim: typeof owner.member.engine.claim };
  const claim = engine.claim.bind(owner.member.engine);
  let letGo = () => {};
  const isHeld = new Promise<void>((held) => {
    engine.claim = async (made, withinMs) => {
      if (made.bucket === "claims" && made.value)
        await new Promise<void>((resolve) => {
          letGo = resolve;
          held();
        });
      return claim(made, withinMs);
    };
  });
  other.request(1, "claimed");
  await isHeld;
  owner.member.release(upstream);
  owner.shared.handle({ type: "remove", upstream });
  letGo();
  await other.given(1);
  const number = other.sent[0]?.seq ?? 0;
  other.shared.post({ type: "settled", upstream, seq: number, outcome: { type: "done" } });
  assert.deepEqual([codeOf(await other.told(1)), owner.sent.length], [["done"], 0]);
});
