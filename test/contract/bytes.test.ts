/** Bytes beside JSON, over HTTP: binary frames up and down, bodies in many frames, and replies as bytes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect as connectTo } from "../../src/client.ts";
import { Sidecar } from "../../src/index.ts";
import { type Product, startProduct } from "../support/product.ts";
import { delay } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";

const SIZE = 1_000;
const audio = { headers: { "content-type": "audio/pcm" } };
const ears = "/v1/upstreams/ears";
const slow = "/v1/upstreams/slow";
const voice = "/v1/upstreams/voice";

let upstream: Upstream;
let product: Product;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sidesocket-bytes-"));
  const key = join(folder, "key");
  await writeFile(key, "of-ears");
  upstream = await startUpstream({ onMessage: speak });
  const order = { preset: "json", correlation: "order", reply: { lacks: ["/note"] }, final: [{ has: ["/end"] }] };
  product = await startProduct({
    config: {
      upstreams: {
        ears: {
          url: `${upstream.url}ears`,
          // Its socket opens once the file has been read.
          headers: { "x-key": `\${file:${key}}` },
          protocol: { preset: "json", frames: { binary: "messages", size: "1000B" } },
          limits: { request_bytes: "4KiB" },
        },
        slow: {
          url: `${upstream.url}slow`,
          protocol: { preset: "json", frames: { binary: "messages", size: "1000B" } },
          limits: { pace: { messages: 1, per: "200ms", jitter: "0ms", queue: 1 } },
        },
        calls: {
          url: `${upstream.url}calls`,
          protocol: { preset: "json-rpc", frames: { binary: "messages", size: "1000B" } },
        },
        voice: {
          url: `${upstream.url}voice`,
          protocol: { ...order, collect: {}, frames: { binary: "parts" } },
          limits: { reply_pause: "2s" },
        },
      },
    },
  });
  await product.ready();
});
after(async () => {
  await product?.kill();
  await upstream?.stop();
  await rm(folder, { recursive: true });
});

/** The bytes of a frame that would be JSON if it were text are still bytes. */
const SPOKEN = [new Uint8Array([0, 255, 10]), Buffer.from("12"), new Uint8Array(70_000).fill(7)];

function speak(message: string | Uint8Array, connection: UpstreamConnection): void {
  if (typeof message !== "string") return;
  const { id, say } = JSON.parse(message);
  if (id !== undefined) connection.send({ id, ok: true });
  if (say === undefined) return;
  if (say === "nothing") {
    connection.send({ end: true, why: "nothing" });
    return;
  }
  connection.send({ begin: say });
  for (const bytes of SPOKEN) connection.send(bytes);
  if (say === "cut") connection.send({ end: true, error: "no voice" });
  else if (say !== "for ever") connection.send({ end: true });
}

const on = (path: string) => upstream.connections.filter((connection) => connection.path === path).at(-1);
const binaries = (path: string) => (on(path)?.messages ?? []).filter((each) => typeof each !== "string");

async function counted(name: string, at: "noise" | "messages"): Promise<number | undefined> {
  return ((await product.state(name)).counters as Record<string, number>)[at];
}

test("bytes that could be read as a batch are one frame", async () => {
  for (const text of ["[1,2,3]", '[{"jsonrpc":"2.0","method":"x"}]', "[no JSON"]) {
    const sent = await product.post("/v1/upstreams/calls/send", Buffer.from(text), audio);
    assert.deepEqual([sent.status, sent.headers.get("sidesocket-frames")], [204, "1"], text);
    await upstream.until(() => String(binaries("/calls").at(-1)) === String(new Uint8Array(Buffer.from(text))));
  }
});

test("bytes go up as a binary frame, and come down as a message in base64 that is no noise", async () => {
  const sent = await product.post(`${ears}/send`, Buffer.from("12"), audio);
  assert.deepEqual([sent.status, sent.headers.get("sidesocket-frames")], [204, "1"]);
  const protobuf = { headers: { "content-type": "application/x-protobuf" } };
  await product.post(`${ears}/send`, new Uint8Array([8, 150, 1]), protobuf);
  await upstream.until(() => binaries("/ears").length === 2);
  assert.deepEqual(
    binaries("/ears").map((bytes) => [...bytes]),
    [
      [49, 50],
      [8, 150, 1],
    ],
  );
  for (const bytes of SPOKEN.slice(0, 2)) on("/ears")?.send(bytes);
  on("/ears")?.send({ last: true });
  const page = await product.fetch(`${ears}/messages?after=earliest&where=/last&wait=5s`);
  await page.body?.cancel();
  const all = (await (await product.fetch(`${ears}/messages?after=earliest`)).json()) as { messages: object[] };
  const contents = all.messages.map((message) => ({ ...message, cursor: 0, at: 0 }));
  const content = (data: unknown) => ({ cursor: 0, at: 0, data });
  const inBase64 = (data: string) => ({ ...content(data), encoding: "base64" });
  assert.deepEqual(contents, [inBase64("AP8K"), inBase64("MTI="), content({ last: true })]);
  assert.deepEqual([await counted("ears", "noise"), await counted("ears", "messages")], [0, 3]);
});

test("a body of many frames is cut as it arrives, and may be longer than one message", async () => {
  const before = binaries("/ears").length;
  const body = Buffer.alloc(SIZE * 20 + 1, 3);
  const sent = await product.post(`${ears}/send`, body, audio);
  assert.deepEqual([sent.status, sent.headers.get("sidesocket-frames")], [204, "21"]);
  await upstream.until(() => binaries("/ears").length === before + 21);
  const frames = binaries("/ears").slice(before);
  assert.deepEqual(
    frames.map(({ length }) => length),
    [...new Array(20).fill(SIZE), 1],
  );
  assert.ok(Buffer.concat(frames).equals(body));
  const proven = await product.post(`${ears}/send?confirm=pong`, Buffer.alloc(SIZE * 2), audio);
  assert.deepEqual([proven.headers.get("sidesocket-sent"), proven.headers.get("sidesocket-frames")], ["yes", "2"]);
});

/** A body that is sent in steps, over a connection that can be cut. */
function upload(path: string) {
  const { hostname, port } = new URL(product.url);
  const socket = connect(Number(port), hostname);
  const head = [`POST ${path} HTTP/1.1`, `Host: ${hostname}:${port}`, "Content-Type: audio/pcm", "Connection: close"];
  socket.write(`${head.join("\r\n")}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const write = (bytes: Uint8Array) => {
    socket.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]));
  };
  let text = "";
  socket.on("data", (bytes) => {
    text += bytes;
  });
  const response = new Promise<{ status: number; body: string }>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => resolve({ status: Number(text.split(" ", 2)[1]), body: text.split("\r\n\r\n")[1] ?? "" }));
  });
  response.catch(() => {});
  return { write, end: () => socket.write("0\r\n\r\n"), cut: () => socket.destroy(), response };
}

test("frames leave while the body still arrives, and what was sent is told when the connection is lost", async () => {
  const before = binaries("/ears").length;
  const { write, end, response } = upload(`${ears}/send`);
  write(Buffer.alloc(SIZE * 2 + 500));
  await upstream.until(() => binaries("/ears").length === before + 2);
  const { number } = on("/ears") ?? {};
  on("/ears")?.socket.terminate();
  await upstream.until(() => on("/ears")?.number !== number, { what: "the next connection" });
  write(Buffer.alloc(SIZE));
  end();
  const { status, body } = await response;
  const { code, sent, retry_safe, written, detail } = JSON.parse(body);
  assert.deepEqual([status, code, sent, retry_safe], [502, "connection_lost", "maybe", false], body);
  assert.deepEqual(written, { frames: 2, bytes: SIZE * 2 });
  assert.match(detail, /2 frames with 2000 bytes of the body were sent before/);
  assert.deepEqual(binaries("/ears"), [], "nothing of the rest goes over another connection");
});

test("a body of many frames lasts as long as it goes on, and a pause ends it with what was sent", async () => {
  const before = binaries("/ears").length;
  const { write, end, response } = upload(`${ears}/send?idle=1s`);
  const began = performance.now();
  for (let at = 1; performance.now() - began < 1_500; at++) {
    write(Buffer.alloc(SIZE));
    await upstream.until(() => binaries("/ears").length === before + at, { what: `frame ${at}` });
    await delay(100);
  }
  end();
  assert.equal((await response).status, 204);

  const paused = upload(`${ears}/send?idle=200ms`);
  paused.write(Buffer.alloc(SIZE + 1));
  const refused = await paused.response;
  const { code, sent, written, detail } = JSON.parse(refused.body);
  assert.deepEqual(
    [refused.status, code, sent, written],
    [400, "invalid_request", "maybe", { frames: 1, bytes: SIZE }],
  );
  assert.match(
    detail,
    /^fewer than 1000 bytes of the body came within 0\.2 s, and it is incomplete: send on sooner, or set \?idle up to 120s/,
  );

  const tooLong = await product.post(`${ears}/send?idle=121s`, Buffer.alloc(SIZE), audio);
  assert.match(await tooLong.text(), /idle must not be longer than 120s/);
  const noBody = await product.post(`${ears}/send?idle=1s`, { note: 1 });
  assert.match(
    await noBody.text(),
    /idle is for bodies that are sent in frames: set frames: \{ size \} and send bytes/,
  );
});

test("the frames of one chunk have the time that the upstream takes, and no more leave once the caller has left", async () => {
  const count = 6;
  const whole = upload(`${slow}/send?idle=100ms&timeout=1s`);
  const began = performance.now();
  whole.write(Buffer.alloc(SIZE * count));
  whole.end();
  assert.equal((await whole.response).status, 204);
  assert.ok(performance.now() - began > 1_000, "it takes longer than its pause and the timeout of a frame");
  assert.equal(binaries("/slow").length, count);

  const left = upload(`${slow}/send`);
  left.write(Buffer.alloc(SIZE * 3 * count));
  await upstream.until(() => binaries("/slow").length > count, { what: "the first frame of the next body" });
  left.cut();
  const told = /(\d+) frames with \d+ bytes of the body were sent before/;
  const from = product.stderr().length;
  await product.until(() => told.test(product.stderr().slice(from)), { what: "the line in the log" });
  const sent = Number(told.exec(product.stderr().slice(from))?.[1]);
  assert.ok(sent >= 1 && sent < 2 * count, `${sent} frames were sent`);
  assert.equal(binaries("/slow").length, count + sent);
});

test("a body that ends early is sent as far as whole frames came", async () => {
  const { write, cut } = upload(`${ears}/send`);
  const before = binaries("/ears").length;
  write(Buffer.alloc(SIZE + 500));
  await upstream.until(() => binaries("/ears").length === before + 1);
  cut();
  const told = () => product.stderr().includes("1 frames with 1000 bytes of the body were sent before");
  await product.until(told, { what: "the line in the log" });
  assert.equal(binaries("/ears").length, before + 1);
});

test("bytes that cannot be a message are refused with the reason", async () => {
  const asked = await product.post(`${ears}/request`, Buffer.from("x"), audio);
  assert.equal(asked.status, 400);
  assert.match(await asked.text(), /no place for an id, and so no reply: use \/send/);
  const key = { headers: { ...audio.headers, "idempotency-key": "k" } };
  const replayed = await product.post(`${ears}/send`, Buffer.from("x"), key);
  assert.match(await replayed.text(), /cannot be replayed/);
  const empty = await product.post(`${ears}/send`, new Uint8Array(), audio);
  assert.match(await empty.text(), /the body is empty/);
});

test("a reply of bytes is streamed as they are, alone or in JSON, to each of many callers", async () => {
  const raw = { headers: { accept: "application/octet-stream" } };
  const replies = await Promise.all(
    Array.from({ length: 5 }, () => product.post(`${voice}/request`, { say: "hello" }, raw)),
  );
  for (const reply of replies) {
    assert.deepEqual([reply.status, reply.headers.get("content-type")], [200, "application/octet-stream"]);
    assert.ok(Buffer.concat(SPOKEN).equals(Buffer.from(await reply.arrayBuffer())));
  }
  const base64 = SPOKEN.map((bytes) => ({ encoding: "base64", data: Buffer.from(bytes).toString("base64") }));
  const frames = [{ begin: "hello" }, ...base64, { end: true }];
  assert.deepEqual(await (await product.post(`${voice}/request`, { say: "hello" })).json(), frames);
  const lines = { headers: { accept: "application/x-ndjson" } };
  const text = await (await product.post(`${voice}/request`, { say: "hello" }, lines)).text();
  assert.deepEqual(
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
    frames,
  );
});

test("bytes that come while nobody waits are messages, and no request gets them", async () => {
  const connection = on("/voice");
  connection?.send(SPOKEN[0]);
  connection?.send({ note: 1 });
  const page = await product.fetch(`${voice}/messages?after=earliest&where=/note&wait=5s`);
  await page.body?.cancel();
  const reply = await product.post(`${voice}/request`, { say: "nothing" });
  assert.deepEqual(await reply.json(), [{ end: true, why: "nothing" }]);
  assert.equal(on("/voice"), connection, "on the same connection");
});

test("a reply without bytes is the JSON of its end, and one that fails among its bytes is cut", async () => {
  const raw = { headers: { accept: "application/octet-stream" } };
  const nothing = await product.post(`${voice}/request`, { say: "nothing" }, raw);
  assert.deepEqual([nothing.status, await nothing.json()], [200, { end: true, why: "nothing" }]);
  for (const say of ["cut", "for ever"]) {
    const reply = await product.post(`${voice}/request`, { say }, raw);
    assert.equal(reply.status, 200);
    await assert.rejects(reply.arrayBuffer(), say);
  }
  const failures = await (await product.fetch("/v1/failures")).text();
  assert.match(failures, /"invalid_reply".*before its bytes were whole/);
});

test("a program streams bytes as many frames, by the library and by the client, and learns how far they came", async () => {
  await using sidecar = await Sidecar.start({
    url: `${upstream.url}streamed`,
    protocol: { preset: "json", frames: { binary: "messages", size: "1000B" } },
  });
  await using plain = await Sidecar.start({ url: `${upstream.url}plain` });
  await using client = connectTo(product.url, { upstream: "ears" });
  const body = Buffer.alloc(2_500, "stream");
  const chunks = async function* (...more: unknown[]) {
    for (let at = 0; at < body.length; at += 400) yield body.subarray(at, at + 400);
    for (const one of more) {
      if (one instanceof Error) throw one;
      yield one as Uint8Array;
    }
  };
  for (const [caller, path] of [
    [sidecar, "/streamed"],
    [client, "/ears"],
  ] as const) {
    const before = binaries(path).length;
    const came = () => binaries(path).slice(before) as Uint8Array[];
    await caller.send(chunks());
    await upstream.until(() => came().length === 3, { what: `three frames on ${path}` });
    assert.deepEqual(
      came().map(({ length }) => length),
      [1_000, 1_000, 500],
    );
    assert.ok(Buffer.concat(came()).equals(body));
    await caller.send(chunks(), { confirm: true });

    const own = new Error("the program's own");
    await assert.rejects(caller.send(chunks(own)), own);
    await assert.rejects(caller.send((async function* () {})()), { code: "invalid_request", sent: "no" });
    const leaving = new AbortController();
    const endless = async function* () {
      yield body;
      leaving.abort(own);
      await new Promise(() => {});
    };
    await assert.rejects(caller.send(endless(), { signal: leaving.signal }), own);
  }
  const text = "no bytes" as unknown as Uint8Array;
  await assert.rejects(sidecar.send(chunks(text)), {
    code: "invalid_request",
    sent: "maybe",
    message: /2 frames with 2000 bytes/,
  });
  await assert.rejects(plain.send(chunks()), { code: "invalid_request", message: /needs frames: \{ size \}/ });

  const losing = async function* () {
    yield body;
    on("/streamed")?.kill();
    await upstream.until(() => upstream.connections.at(-1)?.path === "/streamed" && on("/streamed")?.open);
    yield body;
  };
  await assert.rejects(sidecar.send(losing()), { sent: "maybe", message: /2 frames with 2000 bytes/ });
});
