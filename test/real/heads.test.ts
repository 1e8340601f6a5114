/** anvil's `newHeads` as a subscription, read as events through a restart of anvil and a cut of the reader. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { startProxy } from "../faults/proxy.ts";
import { Child } from "../support/child.ts";
import { eventsIn, type GapFacts, type StreamEvent } from "../support/messages.ts";
import { startProduct } from "../support/product.ts";
import { findOnPath } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startAnvil } from "./anvil.ts";
import { loadEventSource } from "./clients.ts";

const HEADS = "/v1/upstreams/default/subscriptions/heads";

interface Head {
  readonly method: string;
  readonly params: { readonly subscription: string; readonly result: { readonly number: string } };
}

async function curl(url: string, t: Cleanup): Promise<() => StreamEvent[]> {
  const args = ["-sS", "-N", "-H", "Accept: text/event-stream", url];
  const child = await Child.start({ command: findOnPath("curl"), args, env: process.env, t });
  return () => eventsIn(child.stdout).filter(({ data }) => data !== undefined);
}

/** Opens the npm client. `resumed` records the cursor that each of its connections resumed from. */
async function eventSource(url: string, t: Cleanup) {
  const EventSource = await loadEventSource();
  const resumed: (string | undefined)[] = [];
  const source = new EventSource(url, {
    fetch: (to, init) => {
      resumed.push((init.headers as Readonly<Record<string, string>>)["Last-Event-ID"]);
      return fetch(to, init);
    },
  });
  t.after(async () => source.close());
  const events: StreamEvent[] = [];
  for (const name of ["message", "gap", "binary", "end"]) {
    source.addEventListener(name, ({ data, lastEventId: id }) => events.push({ name, id, data }));
  }
  return { events, resumed };
}

const isHead = ({ name }: StreamEvent): boolean => name === "message";
const headOf = ({ data = "" }: StreamEvent): Head => JSON.parse(data) as Head;
const numberOf = (event: StreamEvent): number => Number(headOf(event).params.result.number);

function consecutive(heads: readonly StreamEvent[]): void {
  const numbers = heads.map(numberOf);
  const [first = 0] = numbers;
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => first + index),
  );
}

test("newHeads survive a restart of anvil, for curl and for an EventSource that is cut itself", async (t) => {
  const anvil = await startAnvil({ blockTime: 1, t });
  const config = {
    listen: { hosts: ["127.0.0.1"] }, // the proxy's port is not ours
    upstreams: {
      default: {
        url: anvil.url,
        reconnect: { from: "100ms", to: "500ms" },
        subscriptions: { heads: { preset: "eth_subscribe", params: ["newHeads"] } },
      },
    },
  };
  const product = await startProduct({ config, t });
  await product.ready();
  const proxy = await startProxy({ to: product.port, t });
  const byCurl = await curl(`${product.url}${HEADS}/messages`, t);
  const source = await eventSource(`http://127.0.0.1:${proxy.port}${HEADS}/messages`, t);
  const all = () => JSON.stringify([byCurl(), source.events, source.resumed]).slice(-2_000);
  const both = (what: string, has: (events: readonly StreamEvent[]) => boolean) =>
    until(() => has(byCurl()) && has(source.events), { within: 30_000, what: () => `${what}: ${all()}` });
  await both("two heads", (events) => events.filter(isHead).length >= 2);

  await anvil.stop();
  await startAnvil({ blockTime: 1, port: anvil.port, t });
  const afterGap = (events: readonly StreamEvent[]) =>
    events.slice(events.findLastIndex(({ name }) => name === "gap") + 1).filter(isHead);
  const isGap = ({ name }: StreamEvent): boolean => name === "gap";
  await both("a gap, and two heads after it", (events) => events.some(isGap) && afterGap(events).length >= 2);
  assert.deepEqual(source.resumed, [undefined], "the restart of anvil cut no reader");

  const before = source.events.at(-1)?.id;
  proxy.reset();
  const heads = byCurl().filter(isHead).length;
  await both("two more heads", (events) => events.filter(isHead).length >= heads + 2);
  assert.equal(source.resumed.length, 2);
  const from = source.events.findIndex(({ id }) => id === source.resumed[1]);
  assert.ok(from >= source.events.findIndex(({ id }) => id === before), "it resumed from its last event");

  // Neither missed or repeated anything: their common part is the same, event by event.
  const events = byCurl();
  const common = Math.min(events.length, source.events.length);
  assert.deepEqual(source.events.slice(0, common), events.slice(0, common));
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
  const gaps = events.filter(isGap);
  assert.equal(gaps.length, 1, all());
  const gap = JSON.parse(gaps[0]?.data ?? "") as GapFacts;
  assert.deepEqual([gap.reason, gap.dropped], ["away", null]);
  assert.ok(gap.why, "it gives the reason for the missing connection");
  for (const event of events.filter(isHead)) {
    const { method, params } = headOf(event);
    assert.deepEqual([method, params.subscription], ["eth_subscription", "heads"]);
  }
  const at = events.findIndex(isGap);
  consecutive(events.slice(0, at));
  consecutive(events.slice(at + 1));
  const state = (await (await product.fetch(HEADS)).json()) as { readonly phase: string; readonly activations: number };
  assert.deepEqual([state.phase, state.activations], ["active", 2]);
  assert.equal((await product.stop()).code, 0);
});
