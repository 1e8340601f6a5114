/** `sidesocket record` in front of Debian's `nats-server`, and `sidesocket mock` in its place: the same is said again. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startCommand } from "../support/command.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startEcho, startNats } from "./nats-server.ts";
import { lacks } from "./programs.ts";

const PASSWORD = "canary-1-qk2w9x7yz4";
const ISSUED = "canary-2-hj3m8v5tr1";

const configFor = (url: string, password: string) => ({
  upstreams: {
    default: {
      url,
      protocol: { preset: "nats", user: "all", password },
      subscriptions: {
        orders: {
          request: { subscribe: "orders.>" },
          id: "/sid",
          match: { "/sid": "$id" },
          unsubscribe: { unsubscribe: "$id" },
        },
      },
    },
  },
});

/** @param turns the order of the requests, by which their ids differ from one run to the next */
async function converse(url: string, turns: readonly number[]) {
  const path = `${url}/v1/upstreams/default`;
  const post = async (route: string, message: object) => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(message) };
    const response = await fetch(`${path}/${route}`, init);
    return [response.status, await response.text()];
  };
  const active = async () => (await (await fetch(`${path}/subscriptions/orders`)).json()) as { activations: number };
  await until(async () => (await active()).activations === 1, { what: "the subscription" });
  const requests = [
    { subject: "svc.echo", data: { n: 1, token: ISSUED } },
    { subject: "svc.echo", headers: { A: ["1", "2"] }, data: `it is ${PASSWORD}, and é` },
    { subject: "svc.none", data: "x" },
    { subject: "svc.echo", encoding: "base64", data: "/wA=" },
  ];
  const replies: unknown[] = [];
  for (const turn of turns) replies[turn] = await post("request", requests[turn] ?? {});
  const sent = await post("send", { subject: "orders.new", data: { item: 7 } });
  const response = await fetch(`${path}/subscriptions/orders/messages?after=earliest&wait=5s`);
  const { messages } = (await response.json()) as {
    messages: readonly { readonly data: { readonly data: unknown } }[];
  };
  return { replies, sent, orders: messages.map(({ data }) => data.data) };
}

test("a recorded dialogue with NATS is said again in another order, and has no secret in it", {
  skip: lacks("nats-server"),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-nats-recording-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const server = await startNats({ t, lines: [`authorization { users: [ { user: all, password: "${PASSWORD}" } ] }`] });
  await startEcho(server, t, PASSWORD);
  const config = join(folder, "config.json");
  await writeFile(config, JSON.stringify(configFor(server.url, PASSWORD)));
  const recording = await startCommand(["record", "--config", config, "--port", "0"], t);
  const real = await converse(recording.url, [0, 1, 2, 3]);
  assert.deepEqual(real.orders, [{ item: 7 }]);
  await recording.child.stop("SIGTERM", 10_000);
  const { stdout } = recording.child;
  const frames = stdout
    .trimEnd()
    .split("\n")
    .flatMap((line) => Buffer.from(JSON.parse(line).base64 ?? "", "base64").toString());
  for (const secret of [PASSWORD, ISSUED]) {
    assert.ok(![stdout, ...frames].some((text) => text.includes(secret)), `${secret} is in it`);
  }

  const file = join(folder, "recording.ndjson");
  await writeFile(file, stdout);
  const mock = await startCommand(["mock", file, "--immediate"], t);
  const product = await startProduct({ config: configFor(`${mock.url}/`, "another"), t });
  const played = await converse(product.url, [3, 2, 1, 0]);
  const hidden = JSON.stringify(real).replaceAll(PASSWORD, "(redacted)").replaceAll(ISSUED, "(redacted)");
  assert.deepEqual(played, JSON.parse(hidden));
  assert.equal(mock.child.stderr, "");
  assert.equal((await mock.child.stop("SIGTERM", 5_000)).code, 0);
});
