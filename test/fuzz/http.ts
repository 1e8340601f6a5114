/** The target that is a real service: raw bytes at its listener, after which it must go on serving others. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { startProduct } from "../support/product.ts";
import type { Cleanup } from "../support/until.ts";
import type { Target } from "./fuzzer.ts";

/** The time to wait for bytes that may not come: a request may be incomplete. */
const QUIET_MS = 30;
/** The number of inputs between two looks at the service. */
const LOOK_EVERY = 50;

const rpc = '{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}';
const post = (path: string, body: string, more = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`;

const MESSAGES = "/v1/upstreams/default/messages";
const seeds: readonly string[] = [
  post("/rpc?timeout=1", rpc),
  post("/rpc", `[${rpc},${rpc}]`, "Connection: close\r\n"),
  post("/v1/upstreams/default/request?pick=/result/0", rpc, "Prefer: wait=1, respond-async\r\n"),
  post("/v1/upstreams/default/send?confirm=pong", rpc, "Idempotency-Key: a\r\n"),
  post(
    "/v1/upstreams/default/subscriptions",
    '{"name":"a","request":{"jsonrpc":"2.0","method":"subscribe"},"id":"/result"}',
  ),
  get(`${MESSAGES}?where=/a=1&limit=10&wait=0`),
  get(`${MESSAGES}?poll=1`, "Accept: text/event-stream\r\nLast-Event-ID: a-1\r\n"),
  get(`${MESSAGES}?poll=1`, "Accept: application/x-ndjson\r\n"),
  get("/v1/requests/abc?wait=0") + get("/livez"),
  `POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n`,
];

const tokens: readonly string[] = [
  ...[
    "GET",
    "POST",
    "DELETE",
    "OPTIONS",
    "HEAD",
    "/rpc",
    "/graphql/default",
    "/v1/upstreams/default/",
    "/readyz",
    "/metrics",
  ],
  ...[
    "?timeout=",
    "&where=/",
    "?after=earliest",
    "&pick=/",
    "%00",
    "%2e%2e/",
    "%ff",
    "HTTP/1.0",
    "HTTP/2.0",
    "\r\n",
    "\n",
  ],
  ...[
    "Host: x\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: -1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
  ],
  ...[
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "Content-Encoding: gzip\r\n",
    "Origin: http://evil\r\n",
    "0\r\n\r\n",
  ],
  ...[
    "Accept: text/event-stream\r\n",
    "Prefer: wait=1e9\r\n",
    "Idempotency-Key: \u00e9\r\n",
    "traceparent: 00-0-0-0\r\n",
    rpc,
  ],
];

/** Starts a service with its demo upstream. Each input has a connection of its own. */
export async function httpTarget(t: Cleanup): Promise<Target> {
  // A stop would be in order, and end the run: nobody has its token.
  const env = { SIDESOCKET_LOG_LEVEL: "error", SIDESOCKET_SHUTDOWN_TOKEN: "x".repeat(64) };
  const product = await startProduct({ t, env });
  await product.ready();
  let inputs = 0;
  const look = async (): Promise<void> => {
    assert.equal(product.child.exit, undefined, product.child.output());
    assert.equal((await product.fetch("/livez")).status, 200);
    const reply = await product.rpc(rpc);
    assert.deepEqual(await reply.json(), { jsonrpc: "2.0", id: 1, result: [1] });
    assert.doesNotMatch(product.stderr(), /unhandled|uncaught|internal error|panick/i);
  };
  return {
    name: "http",
    // The wait for bytes that do not come is part of it.
    slowMs: 5_000,
    seeds,
    tokens,
    async run(input) {
      const output = await exchanged(product.port, input);
      inputs += 1;
      if (inputs % LOOK_EVERY === 0) await look();
      if (output.length === 0) return "nothing";
      assert.match(output, /^HTTP\/1\.[01] \d{3} /);
      const statuses = [...output.matchAll(/^HTTP\/1\.[01] (\d{3}) /gm)].map(([, status]) => status);
      assert.ok(!statuses.includes("500"), output.slice(0, 2_000));
      const code = /"code":"(\w+)"/.exec(output)?.[1];
      return `${statuses.map((status) => `${status?.[0]}xx`).join()} ${code}`;
    },
  };
}

/** Writes the bytes and ends; returns what comes back until the end, or until nothing comes for a while. */
function exchanged(port: number, input: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const done = (): void => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    socket.setTimeout(QUIET_MS, done);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", done);
    socket.on("error", done);
    socket.write(input);
  });
}
