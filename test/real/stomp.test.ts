/**
 * The preset stomp beside npm's `@stomp/stompjs`, on one broker: one from the public format, or Debian's RabbitMQ with
 * `RABBITMQ=1`.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { WebSocket } from "ws";
import { startProduct } from "../support/product.ts";
import { bounded, type Cleanup, until } from "../support/until.ts";
import { load } from "./packages.ts";
import { startRabbitMq } from "./rabbitmq.ts";
import { startBroker } from "./stomp-broker.ts";

interface Heard {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface StompClient {
  activate(): void;
  deactivate(): Promise<void>;
  watchForReceipt(receipt: string, listener: () => void): void;
  subscribe(destination: string, listener: (message: Heard) => void, headers: object): void;
  publish(message: { readonly destination: string; readonly body: string }): void;
}

interface Stompjs {
  readonly Client: new (options: object) => StompClient;
}

interface Frame {
  readonly command: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

async function startAny(t: Cleanup) {
  if (process.env.RABBITMQ !== undefined) return startRabbitMq(t);
  const broker = await startBroker(t);
  const said = () => broker.connections.flatMap(({ texts }) => texts);
  return { url: broker.url, restart: () => broker.restart(), said };
}

test("the preset and the client send and hear alike, and again after a restart of the broker", async (t) => {
  const broker = await startAny(t);
  const at = (password: string, more: object = {}) => ({
    url: broker.url,
    protocol: { preset: "stomp", login: "guest", password },
    reconnect: { from: "50ms", to: "500ms", refused: "1h" },
    ...more,
  });
  const subscriptions = {
    orders: {
      request: { command: "SUBSCRIBE", headers: { id: "orders", destination: "/topic/orders" } },
      match: { "/command": "MESSAGE", "/headers/subscription": "orders" },
      unsubscribe: { command: "UNSUBSCRIBE", headers: { id: "orders" } },
    },
  };
  const upstreams = { default: at("guest", { subscriptions }), stranger: at("wrong", { required: false }) };
  const product = await startProduct({ config: { upstreams }, t });
  await product.ready();
  const isActive = async (activations: number) => {
    const response = await product.fetch("/v1/upstreams/default/subscriptions/orders");
    return ((await response.json()) as { activations: number }).activations >= activations;
  };
  await until(() => isActive(1), { what: "the subscription" });

  const { Client } = await load<Stompjs>("@stomp/stompjs");
  const heard: string[] = [];
  const client = await bounded(
    new Promise<StompClient>((resolve) => {
      const made = new Client({
        webSocketFactory: () => new WebSocket(broker.url, ["v12.stomp"]),
        connectHeaders: { login: "guest", passcode: "guest", host: "/" },
        reconnectDelay: 0,
        onConnect: () => {
          made.watchForReceipt("subscribed", () => resolve(made));
          const onMessage = ({ body, headers }: Heard) => heard.push(`${body} ${headers.note}`);
          made.subscribe("/topic/orders", onMessage, { receipt: "subscribed" });
        },
      });
      made.activate();
    }),
  );
  t.after(() => client.deactivate());

  const destination = "/topic/orders";
  const send = async (headers: object, body: unknown = "") => {
    const response = await product.request({ command: "SEND", headers, body });
    return [response.status, (await response.json()) as Frame] as const;
  };
  const note = "a: b\\c";
  const [status, receipt] = await send({ destination, receipt: "mine", note }, { n: 1 });
  assert.deepEqual([status, receipt.command, receipt.headers["receipt-id"]], [200, "RECEIPT", "mine"]);
  const [, anonymous] = await send({ destination }, "2");
  assert.deepEqual(anonymous, { command: "RECEIPT", headers: {}, body: "" });
  client.publish({ destination, body: "3" });
  const messages = async () => {
    const page = await product.fetch("/v1/upstreams/default/subscriptions/orders/messages?after=earliest");
    return ((await page.json()) as { messages: readonly { readonly data: Frame }[] }).messages.map(({ data }) => data);
  };
  await until(async () => (await messages()).length === 3, { what: "three messages" });
  await until(() => heard.length === 3, { what: "the client's three" });
  const bodies = (await messages()).map(({ body, headers }) => `${body} ${headers.note}`);
  assert.equal(bodies[0], `{"n":1} ${note}`);
  assert.deepEqual(
    bodies.map((text) => text.split(" ")[0]),
    heard.map((text) => text.split(" ")[0]),
  );
  assert.equal((await product.request(["SEND"])).status, 400);
  assert.equal((await product.state("stranger")).phase, "refused");

  const refused = await product.request({ command: "SEND", headers: { destination: "/nowhere" } });
  assert.match(await refused.text(), /Unknown destination/);
  // RabbitMQ keeps a connection after an error; by the format it ends.
  const ends = process.env.RABBITMQ === undefined ? 1 : 0;
  await until(() => isActive(1 + ends), { what: "the subscription on the next connection" });
  await broker.restart();
  await until(() => isActive(2 + ends), { within: 30_000, what: "the subscription after the restart" });
  assert.equal((await send({ destination }, "4"))[0], 200);

  await product.stop();
  assert.equal(product.report().forced, false);
  if (!("said" in broker)) return;
  const disconnects = broker.said().filter((text) => text.startsWith("DISCONNECT\n"));
  assert.deepEqual(disconnects, ["DISCONNECT\nreceipt:farewell\n\n\0"]);
});
