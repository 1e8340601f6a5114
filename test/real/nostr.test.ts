/** The preset nostr beside npm's `nostr-tools`, on one relay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { startProduct } from "../support/product.ts";
import { bounded, until } from "../support/until.ts";
import { type NostrEvent, startRelay } from "./nostr-relay.ts";
import { load } from "./packages.ts";

interface Pure {
  generateSecretKey(): Uint8Array;
  finalizeEvent(event: object, key: Uint8Array): NostrEvent;
  verifyEvent(event: NostrEvent): boolean;
}

interface RelayClient {
  publish(event: NostrEvent): Promise<string>;
  subscribe(
    filters: readonly object[],
    listeners: { onevent(event: NostrEvent): void; oneose(): void; onclose?(reason: string): void },
  ): { close(): void };
  close(): void;
}

interface Client {
  readonly Relay: { connect(url: string): Promise<RelayClient> };
  useWebSocketImplementation(implementation: unknown): void;
}

test("the preset and the client publish, ask and hear alike, and ask again after a restart", async (t) => {
  const { generateSecretKey, finalizeEvent, verifyEvent } = (await load<{ default: Pure }>("nostr-tools/pure")).default;
  const { Relay, useWebSocketImplementation } = (await load<{ default: Client }>("nostr-tools/relay")).default;
  useWebSocketImplementation(WebSocket);
  const key = generateSecretKey();
  const note = (content: string, kind = 1) =>
    finalizeEvent({ kind, created_at: 1_700_000_000, tags: [], content }, key);

  const relay = await startRelay(t, (event) => verifyEvent(event));
  const live = (id: string, kinds: readonly number[]) => ({
    request: ["REQ", id, { kinds }],
    match: { "/0": "EVENT", "/1": id },
    ended: { match: { "/0": "CLOSED", "/1": id } },
  });
  const subscriptions = { notes: live("live:notes", [1]), letters: live("live:letters", [4]) };
  const reconnect = { from: "20ms", to: "100ms" };
  const config = { upstreams: { default: { url: relay.url, protocol: "nostr", reconnect, subscriptions } } };
  const product = await startProduct({ config, t });
  await product.ready();
  const subscription = async (name: string) => {
    const response = await product.fetch(`/v1/upstreams/default/subscriptions/${name}`);
    return (await response.json()) as { phase: string; activations: number };
  };
  await until(async () => (await subscription("notes")).phase === "active", { what: "the subscription" });
  await until(async () => (await subscription("letters")).phase === "failed", { what: "the refused one" });

  const ask = async (message: unknown) => (await product.request(message)).json();
  const mine = note("mine");
  assert.deepEqual(await ask(["EVENT", mine]), ["OK", mine.id, true, ""]);
  const forged = { ...note("forged"), content: "by somebody else" };
  assert.deepEqual(await ask(["EVENT", forged]), ["OK", forged.id, false, "invalid: bad signature"]);

  const client = await bounded(Relay.connect(relay.url));
  t.after(() => client.close());
  const theirs = note("theirs");
  await bounded(client.publish(theirs));
  const heard: NostrEvent[] = [];
  await bounded(
    new Promise<void>((resolve) => {
      const opened = client.subscribe([{ kinds: [1] }], {
        onevent: (event) => heard.push(event),
        oneose: () => {
          opened.close();
          resolve();
        },
      });
    }),
  );
  const question = ["REQ", "q", { kinds: [1] }];
  const reply = (await ask(question)) as [string, string, NostrEvent][];
  assert.deepEqual(reply.at(-1), ["EOSE", "q"]);
  assert.deepEqual(
    reply.slice(0, -1).map(([, , { id }]) => id),
    heard.map(({ id }) => id),
  );
  await until(() => relay.texts.includes('["CLOSE","q"]'), { what: "the end of the question" });
  assert.deepEqual(await ask(["COUNT", "n", {}]), ["COUNT", "n", { count: 2 }]);
  assert.deepEqual(await ask(["REQ", "r", { kinds: [4] }]), [["CLOSED", "r", "restricted: not for you"]]);

  const page = await product.fetch("/v1/upstreams/default/subscriptions/notes/messages?after=earliest");
  const { messages } = (await page.json()) as { messages: readonly { readonly data: [string, string, NostrEvent] }[] };
  assert.deepEqual(
    messages.map(({ data: [, , { content }] }) => content),
    ["mine", "theirs"],
  );

  await relay.restart();
  await until(async () => (await subscription("notes")).activations >= 2, { what: "the renewed subscription" });
  assert.equal(((await ask(question)) as unknown[]).length, 3);
});
