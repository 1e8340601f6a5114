/** The preset phoenix beside npm's `phoenix`, the client of the framework itself, on one server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { startProduct } from "../support/product.ts";
import { bounded, until } from "../support/until.ts";
import { load } from "./packages.ts";
import { startPhoenix } from "./phoenix-server.ts";

interface Push {
  receive(status: string, listener: (response: unknown) => void): Push;
}

interface Channel {
  join(): Push;
  push(event: string, payload: object): Push;
  on(event: string, listener: (payload: unknown) => void): void;
}

interface Phoenix {
  readonly default: {
    readonly Socket: new (
      url: string,
      options: object,
    ) => { connect(): void; disconnect(): void; channel(topic: string): Channel };
  };
}

const said = (push: Push): Promise<unknown> =>
  new Promise((resolve) => {
    push.receive("ok", (response) => resolve(["ok", response]));
    push.receive("error", (response) => resolve(["error", response]));
  });

const lobby = (request: unknown, match: object, ended: object) => ({ lobby: { request, match, ended } });

test("the preset and the framework's client join, push, hear, are refused and join again alike", async (t) => {
  const server = await startPhoenix(t);
  const url = `ws://127.0.0.1:${server.port}/socket`;
  const upstream = (vsn: string, more: object) => ({
    url: `${url}/websocket?vsn=${vsn}&token=right`,
    reconnect: { from: "20ms", to: "100ms" },
    ...more,
  });
  const gone = (event: string) => ({ any: [{ match: { [event]: "phx_error" } }, { match: { [event]: "phx_close" } }] });
  const product = await startProduct({
    t,
    config: {
      upstreams: {
        default: upstream("2.0.0", {
          protocol: "phoenix",
          subscriptions: {
            ...lobby(["lobby", null, "room:lobby", "phx_join", {}], { "/2": "room:lobby" }, gone("/3")),
            secret: { request: ["secret", null, "room:secret", "phx_join", {}], match: { "/2": "room:secret" } },
          },
        }),
        first: upstream("1.0.0", {
          protocol: { preset: "phoenix", version: "1" },
          subscriptions: lobby(
            { topic: "room:lobby", event: "phx_join", payload: {}, ref: null },
            { "/topic": "room:lobby" },
            gone("/event"),
          ),
        }),
        stranger: { url: `${url}/websocket?vsn=2.0.0&token=wrong`, protocol: "phoenix", required: false },
      },
    },
  });
  await product.ready();

  const subscription = async (name: string, upstream = "default") => {
    const response = await product.fetch(`/v1/upstreams/${upstream}/subscriptions/${name}`);
    return (await response.json()) as { readonly phase: string; readonly activations: number };
  };
  const joined = (activations: number, upstream = "default") =>
    until(async () => (await subscription("lobby", upstream)).activations >= activations, { what: "the join" });
  await joined(1);
  await joined(1, "first");
  await until(async () => (await subscription("secret")).phase === "failed", { what: "the refusal of the join" });

  const { Socket } = (await load<Phoenix>("phoenix")).default;
  const client = new Socket(url, { transport: WebSocket, params: { token: "right" } });
  t.after(() => client.disconnect());
  client.connect();
  const channel = client.channel("room:lobby");
  assert.deepEqual(await bounded(said(channel.join())), ["ok", {}]);
  assert.deepEqual(await bounded(said(client.channel("room:secret").join())), ["error", { reason: "unauthorized" }]);
  const heard = new Promise((resolve) => channel.on("shout", resolve));

  const shout = [null, "mine", "room:lobby", "shout", { text: "hello" }];
  const [, ref, , event, payload] = (await (await product.request(shout)).json()) as unknown[];
  assert.deepEqual([ref, event, payload], ["mine", "phx_reply", { status: "ok", response: { text: "hello" } }]);
  assert.deepEqual(await bounded(heard), { text: "hello" });
  const unmatched = await product.request([null, null, "room:none", "shout", {}]);
  assert.deepEqual(((await unmatched.json()) as unknown[])[4], {
    status: "error",
    response: { reason: "unmatched topic" },
  });
  const old = await product.post("/v1/upstreams/first/request", {
    topic: "room:lobby",
    event: "shout",
    payload: 1,
    ref: 7,
  });
  assert.deepEqual(((await old.json()) as { ref: unknown; event: unknown }).ref, 7);

  const journal = async (upstream = "default") => {
    const page = await product.fetch(`/v1/upstreams/${upstream}/subscriptions/lobby/messages?after=earliest`);
    const { messages } = (await page.json()) as { messages: readonly { readonly data: unknown }[] };
    return messages.map(({ data }) => data);
  };
  await until(async () => (await journal()).length === 2, { what: "both shouts" });
  assert.deepEqual((await journal())[0], [null, null, "room:lobby", "shout", { text: "hello" }]);
  assert.equal((await journal("first")).length, 2);

  // The channel crashes, and is joined again: first the one of the preset, then both at a restart.
  await product.post("/v1/upstreams/default/send", [null, null, "room:lobby", "crash", {}]);
  await joined(2);
  await server.restart();
  await joined(3);
  await joined(2, "first");
  assert.equal((await product.request(shout)).status, 200);
  assert.equal((await product.state("stranger")).phase, "refused");
});
