/** Placeholders in all that goes out: resolved by each attempt, or refused at the start. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { runProduct, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";
import { written } from "./files.ts";

const COUNTING = "let asked = 0; export default () => ({ token: `t0ken-${++asked}` });";
const fromModule = "${credentials:token}";

test("subscriptions, heartbeats and answers get the values of their connection, and none is shown", async (t) => {
  const fromFile = `\${file:${await written(t, "secret", "s3cret\n")}}`;
  const upstream = await startUpstream({
    // An escape hides one of two placeholders from a search of the text, and the other has the text taken apart.
    onConnection: (connection) => connection.send(`{"who":"\\u0024{file:/etc/hostname} \${credentials:token}"}`),
    onMessage: (message, connection) => {
      const { op, id, token } = JSON.parse(String(message));
      if (op === "subscribe") connection.send(JSON.stringify({ id, error: `no: ${token}` }));
    },
    t,
  });
  const values = { token: fromModule, file: fromFile };
  const product = await startProduct({
    config: {
      upstreams: {
        default: {
          url: upstream.url,
          credentials: await written(t, "credentials.mjs", COUNTING),
          protocol: {
            preset: "json",
            answers: [{ when: { has: ["/who"] }, send: { op: "login", ...values }, copy: { "/who": "/who" } }],
          },
          keepalive: { heartbeat: { send: { op: "beat", ...values }, every: "100ms" } },
          subscriptions: { s: { request: { op: "subscribe", ...values }, match: { "/topic": "s" } } },
          reconnect: { from: "20ms", to: "50ms" },
        },
      },
    },
    t,
  });
  for (const number of [1, 2]) {
    const sent = (op: string) =>
      upstream.connections[number - 1]?.texts.map((text) => JSON.parse(text)).find((message) => message.op === op);
    const ops = ["login", "beat", "subscribe"];
    await until(() => ops.every((op) => sent(op) !== undefined));
    for (const op of ops) {
      const { token, file, who } = sent(op);
      assert.deepEqual([token, file], [`t0ken-${number}`, "s3cret"], op);
      // A text of the upstream is never searched for placeholders.
      if (op === "login") assert.equal(who, `\${file:/etc/hostname} ${fromModule}`);
    }
    if (number === 1) for (const connection of upstream.connections) connection.socket.terminate();
  }
  const route = "/v1/upstreams/default";
  const states = await Promise.all(
    [route, `${route}/subscriptions`].map(async (path) => (await product.fetch(path)).text()),
  );
  assert.match(states.join(), /refused it: .*\(redacted\)/);
  assert.doesNotMatch(states.join() + product.stderr(), /t0ken|s3cret/);
});

test("a webhook's url, headers and secret are resolved for each delivery", async (t) => {
  const hits: { headers: IncomingHttpHeaders; path: string | undefined; body: string }[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    hits.push({ headers: request.headers, path: request.url, body });
    response.writeHead(hits.length === 1 ? 500 : 204).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  t.after(() => receiver.close().closeAllConnections());
  const file = await written(t, "secret", "first-s3cret");
  const secret = `\${file:${file}}`;
  const upstream = await startUpstream({ onConnection: (connection) => connection.send('{"hello":1}'), t });
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook?key=${secret}`;
  const webhooks = [{ url, secret, headers: { "x-key": secret } }];
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, protocol: "json", webhooks } } },
    t,
  });
  await until(() => hits.length === 1);
  await writeFile(file, "short");
  const failed = async () => JSON.stringify((await product.state()).webhooks);
  await until(async () => /secret must have at least 8 characters/.test(await failed()));
  await writeFile(file, "second-s3cret");
  await until(() => hits.length === 2);
  for (const [index, key] of ["first-s3cret", "second-s3cret"].entries()) {
    const { headers, path, body } = hits[index] ?? assert.fail();
    assert.deepEqual([path, headers["x-key"]], [`/hook?key=${key}`, key]);
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    assert.equal(headers["webhook-signature"], `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  }
  assert.doesNotMatch((await failed()) + product.stderr(), /s3cret/);
});

test("check-config refuses a placeholder that nothing would resolve, by its key", async (t) => {
  const upstream = { url: "ws://127.0.0.1:1/", reconnect: { rotate: { on: { match: { "/a": "${file:/run/a}" } } } } };
  const file = await written(t, "config.json", JSON.stringify({ upstreams: { default: upstream } }));
  const { code, stderr } = await runProduct(["check-config", file], { t });
  assert.equal(code, 2, stderr);
  assert.match(stderr, /upstreams\.default\.reconnect\.rotate\.on\.match\.\/a: \$\{file:…\} is not resolved here/);
});

test("a placeholder in a caller's subscription is refused and reads no file", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const order = { request: { jsonrpc: "2.0", method: "m", params: ["${file:/etc/hostname}"] }, has: ["/a"] };
  await problem(await product.post("/v1/upstreams/default/subscriptions", order), {
    status: 400,
    code: "invalid_request",
    sent: "no",
    detail: /they are for the configuration/,
  });
  assert.deepEqual(
    upstream.connections.flatMap(({ texts }) => texts),
    [],
  );
});
