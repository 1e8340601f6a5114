/** Fault rows 7 to 12: an upstream that is there and refuses us, or whose handshake cannot be trusted. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { rename } from "node:fs/promises";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { nothingCaptured } from "../../src/core/connection/captured-values.ts";
import { NO_TRAFFIC } from "../../src/core/connection/liveness.ts";
import { step } from "../../src/core/connection/session.ts";
import { newSession, type Session } from "../../src/core/connection/session-state.ts";
import { problem } from "../contract/expect.ts";
import { written } from "../contract/files.ts";
import { stopBy } from "../exit/stopping.ts";
import { seeded } from "../support/random.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import * as certificates from "./certificates.ts";
import type { Handshake } from "./handshake.ts";
import { intact, QUICK, scene, scenes } from "./scene.ts";
import { type FaultUpstream, startFaultUpstream } from "./upstream.ts";

const SLOWLY = { reconnect: { ...QUICK, refused: "600ms" } };

/** A header's value, which an upstream may repeat. */
const KEY = "k7d9f3a1c5e8b2d4f6";

/** Milliseconds between consecutive attempts. */
const gaps = (upstream: FaultUpstream): number[] =>
  upstream.peers.slice(1).map(({ since }, at) => since - (upstream.peers[at]?.since ?? 0));

/** Counts the attempts in 60 s of virtual time when each is refused at once with this status. */
function attemptsInAMinute(status: number, seed: number): number {
  const settings = upstreamSchema.parse({ url: "ws://127.0.0.1:9/" });
  const random = seeded(seed);
  let session: Session = newSession;
  let now = 0;
  let attempts = 0;
  const advance = (input: Parameters<typeof step>[1]): void => {
    session = step(session, input, {
      now,
      random: random(),
      proof: "",
      lastActivityAt: 0,
      traffic: NO_TRAFFIC,
      secrets: [],
      captured: nothingCaptured,
      canResume: false,
      settings,
    }).session;
  };
  advance({ type: "start" });
  for (;;) {
    attempts += 1;
    advance({ type: "dropped", connection: session.connection, disconnect: { reason: "status", status } });
    assert.ok("until" in session.at, session.at.phase);
    now = session.at.until;
    if (now > 60_000) return attempts;
    advance({ type: "timer" });
  }
}

for (const [row, statuses] of [
  [7, [401, 403]],
  [8, [404, 200, 426]],
] as const) {
  test(`row ${row}: an upgrade answered with ${statuses.join(", ")} is logged and retried only slowly`, async (t) => {
    const refusing = (status: number) =>
      startFaultUpstream((n) => (n <= 2 ? { handshake: { do: "refuse", status } } : {}), { t });
    const upstreams = await Promise.all(
      statuses.map(async (status) => [String(status), [await refusing(status), SLOWLY]] as const),
    );
    const of = await scenes(t, Object.fromEntries(upstreams));
    for (const [status, [upstream]] of upstreams) {
      const here = of(status);
      await here.logged(new RegExp(`answered the upgrade with HTTP ${status}(, |: |$)`));
      if (upstream.peers.length === 1) {
        const detail = new RegExp(`HTTP ${status}`);
        await problem(await here.request("echo"), { status: 503, code: "upstream_down", sent: "no", detail });
        assert.equal((await here.state()).phase, "refused");
      }
      await upstream.opened();
      assert.ok(
        gaps(upstream).every((gap) => gap >= 430),
        `three quarters of 600 ms and more: ${gaps(upstream)}`,
      );
    }
    await intact(of(String(statuses[0])));
  });
}

test("row 7: a minute of refusals has at most two attempts", () => {
  for (const status of [401, 403, 404, 200, 426]) {
    for (let seed = 1; seed <= 100; seed += 1) assert.ok(attemptsInAMinute(status, seed) <= 2, `${status}`);
  }
});

const SOON: ReadonlyMap<string, (seconds: number) => string> = new Map([
  ["seconds", (seconds) => String(seconds)],
  ["date", (seconds) => new Date(Date.now() + seconds * 1_000).toUTCString()],
]);

test("row 9: 429 and 503 with a Retry-After are retried only then, and after five minutes at most", async (t) => {
  const cases = [429, 503].flatMap((status) => [...SOON].map(([form, text]) => ({ status, form, text })));
  const upstreams = await Promise.all(
    cases.map(async ({ status, form, text }) => {
      // A date has whole seconds: of 2 s one may already be gone.
      const script = (n: number): { readonly handshake: Handshake } => ({
        handshake: { do: "refuse", status, headers: { "Retry-After": text(n === 1 ? 2 : 1_000_000) } },
      });
      return [`${status}-${form}`, [await startFaultUpstream(script, { t })]] as const;
    }),
  );
  const of = await scenes(t, Object.fromEntries(upstreams));
  for (const [name, [upstream]] of upstreams) {
    await upstream.until(() => upstream.peers.length === 2, { what: "the second attempt" });
    assert.ok((gaps(upstream)[0] ?? 0) >= 950, `${name}: ${gaps(upstream)}`);
    const retryInMs = await until(async () => {
      const { phase, retry_in_ms } = await of(name).state();
      return phase === "waiting" && Number(retry_in_ms) > 10_000 && Number(retry_in_ms);
    });
    assert.ok(retryInMs > 280_000 && retryInMs <= 301_000, `${name}: ${retryInMs}`);
  }
  assert.equal((await stopBy(of("429-seconds").product, "SIGTERM")).code, 0);
});

test("row 10: a redirect is not followed", async (t) => {
  const elsewhere = await startUpstream({ t });
  const headers = { Location: elsewhere.url.replace("ws:", "http:") };
  const upstream = await startFaultUpstream(
    (n) => (n === 1 ? { handshake: { do: "refuse", status: 302, headers } } : {}),
    { t },
  );
  const here = await scene(t, upstream);
  await upstream.until(() => upstream.peers.length > 1, { what: "the next attempt" });
  await here.logged(/answered the upgrade with HTTP 302, a redirect to http:\S+ that is not followed$/);
  await intact(here);
  assert.equal(elsewhere.connections.length, 0);
});

/** Refusals with a body or a Location, and what is shown of them. */
const SAID: ReadonlyMap<string, readonly [handshake: Handshake, shown: RegExp]> = new Map([
  [
    "json",
    [
      { do: "refuse", status: 401, body: '{"error": "token\\u0020expired"}\n' },
      /HTTP 401: \{"error": "token\\u0020expired"\}$/,
    ],
  ],
  ["echo", [{ do: "refuse", status: 403, body: `no: Bearer ${KEY}, you` }, /HTTP 403: no: \(redacted\), you$/]],
  ["long", [{ do: "refuse", status: 503, body: `${"é".repeat(1_024)}${"x".repeat(99_000)}` }, /HTTP 503: é{1024}…$/]],
  ["cut", [{ do: "refuse", status: 500, headers: { "Content-Length": "99" }, body: "begun" }, /HTTP 500: begun$/]],
  [
    "login",
    [
      { do: "refuse", status: 302, headers: { Location: `/login/${KEY}?next=/${KEY}` }, body: "<a>moved</a>" },
      /HTTP 302, a redirect to ws:\/\/127\.0\.0\.1:\d+\/login\/\(redacted\)\?… that is not followed: <a>moved<\/a>$/,
    ],
  ],
  [
    "location",
    [
      { do: "refuse", status: 426, headers: { Location: "https://u:p@docs.example/ws" } },
      /HTTP 426, and Location https:\/\/docs\.example\/ws$/,
    ],
  ],
]);

test("rows 7 to 10: a refusal is shown with its words and its Location, without secrets", async (t) => {
  const upstreams = await Promise.all(
    [...SAID].map(async ([name, [handshake]]) => {
      const upstream = await startFaultUpstream((n) => (n === 1 ? { handshake } : {}), { t });
      return [name, [upstream, { headers: { authorization: `Bearer ${KEY}` } }]] as const;
    }),
  );
  const of = await scenes(t, Object.fromEntries(upstreams));
  for (const [name, [, shown]] of SAID) await of(name).logged(shown);
  for (const name of SAID.keys()) await of(name).phase("ready");
  const { product } = of("json");
  assert.equal((await stopBy(product, "SIGTERM")).code, 0);
  assert.ok(!(product.stdout() + product.stderr()).includes(KEY), "the secret was printed");
});

const false101: ReadonlyMap<string, Handshake> = new Map<string, Handshake>([
  ["wrong-key", { do: "wrong-key" }],
  ["wrong-subprotocol", { do: "accept", headers: { "Sec-WebSocket-Protocol": "never-offered" } }],
  [
    "wrong-extension",
    { do: "accept", headers: { "Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover" } },
  ],
  ["wrong-upgrade", { do: "accept", headers: { Upgrade: "h2c" } }],
  ["no-http", { do: "garbage", text: "\u0000\u0001\u0002 220 mail.example ESMTP\r\n\r\n" }],
]);

test("row 11: an invalid handshake is an error, nothing is sent on it, and the next attempt serves", async (t) => {
  const upstreams = await Promise.all(
    [...false101].map(async ([what, handshake]) => {
      const upstream = await startFaultUpstream((n) => (n === 1 ? { handshake } : {}), { t });
      return [what, [upstream]] as const;
    }),
  );
  const of = await scenes(t, Object.fromEntries(upstreams));
  for (const [what, [upstream]] of upstreams) {
    await upstream.until(() => upstream.peers[1]?.phase === "open", { what: `a second connection after a ${what}` });
    assert.equal(upstream.peers[0]?.phase, "ended", what);
    assert.deepEqual(upstream.peers[0]?.texts, [], what);
    await of(what).logged(/handshake is invalid|could not be reached/);
  }
  for (const what of false101.keys()) assert.equal((await of(what).rpc("echo")).status, 200, what);
  await intact(of("wrong-key"));
});

/** A TLS server that records what it could read: nothing, if the client refuses its certificate. */
async function startTls(t: Cleanup, { cert, key }: certificates.Certificate) {
  const requests: string[] = [];
  const server = createHttpsServer({ cert, key });
  const sockets = new WebSocketServer({ server });
  sockets.on("headers", (_headers, request) => requests.push(String(request.headers.authorization)));
  sockets.on("connection", (socket) =>
    socket.on("message", (data) => {
      const { id, params } = JSON.parse(String(data)) as { readonly id: unknown; readonly params: unknown };
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: params }));
    }),
  );
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const drop = () => {
    for (const socket of sockets.clients) socket.terminate();
  };
  t.after(async () => {
    drop();
    server.close();
    server.closeAllConnections();
  });
  return { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests, drop };
}

test("row 12: credentials are sent only under the authority's certificate, for this host and valid now", async (t) => {
  const ca = await written(t, "ca.pem", certificates.authority);
  const { good, selfSigned, expired, wrongHost } = certificates;
  const upstreams = await Promise.all(
    Object.entries({ default: good, selfSigned, expired, wrongHost }).map(
      async ([name, certificate]) => [name, [await startTls(t, certificate), { ca, required: false }]] as const,
    ),
  );
  const of = await scenes(t, Object.fromEntries(upstreams));
  for (const [name, [{ requests }]] of upstreams) {
    if (name === "default") {
      await of(name).phase("ready");
      assert.match(requests[0] ?? "", /^Bearer canary-/);
    } else {
      await of(name).logged(/^TLS to the upstream failed/);
      await until(async () => (await of(name).state()).attempts > 2, { what: "more attempts" });
      assert.deepEqual(requests, [], name);
    }
  }
  await intact(of("default"));
});

test("row 12: a missing authority file fails an attempt, not the thread; once it is back it is trusted", async (t) => {
  const ca = await written(t, "ca.pem", certificates.authority);
  const upstream = await startTls(t, certificates.good);
  const of = await scenes(t, { default: [upstream, { ca }] });
  await of("default").phase("ready");
  await rename(ca, `${ca}.away`);
  upstream.drop();
  await of("default").logged(/ca\.pem cannot be read \(.*ENOENT\)/);
  await rename(`${ca}.away`, ca);
  await of("default").phase("ready");
  await intact(of("default"));
});

/** A ServerHello that chooses TLS 1.0 (RFC 2246): version 3.1, random bytes, no session, one of its ciphers. */
const SERVER_HELLO_1_0 = Uint8Array.from([
  ...[22, 3, 1, 0, 42],
  ...[2, 0, 0, 38, 3, 1],
  ...Array.from({ length: 32 }, (_, n) => n),
  ...[0, 0, 47, 0],
]);

for (const [what, says] of [
  ["a port that does not speak TLS", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["TLS 1.0", SERVER_HELLO_1_0],
] as const) {
  test(`row 12: ${what} is refused, and no credential is sent`, async (t) => {
    let received = "";
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        received += bytes.toString("latin1");
        socket.write(says);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(async () => {
      server.close();
    });
    const here = await scene(t, { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/` });
    await here.logged(/^TLS to the upstream failed/);
    assert.equal((await stopBy(here.product, "SIGTERM")).code, 0);
    assert.ok(received.length > 0 && !/bearer|authorization|GET \//i.test(received));
  });
}
