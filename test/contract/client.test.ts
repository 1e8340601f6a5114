/** The client, in front of an app whose responses the test may lose, cut and forge. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ClientOptions, connect, type RemoteSidecar, SidesocketError } from "../../src/client.ts";
import { createApp, Sidecar } from "../../src/index.ts";
import { bounded, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { call, failsAs, received, startSubscribable, tick, ticksOf } from "./async-behaviours.ts";

type Fetch = NonNullable<ClientOptions["fetch"]>;

let upstream: Upstream;
/** Sends every message back. */
let echo: Upstream;
let sidecar: Sidecar;
let text: Sidecar;
let app: ReturnType<typeof createApp>;
const token = "a-token-of-the-client-0123456789";

before(async () => {
  upstream = await startSubscribable();
  echo = await startUpstream({ onMessage: (message, connection) => connection.send(message) });
  [sidecar, text] = await Promise.all([
    Sidecar.start({ url: upstream.url, reconnect: { from: "10ms", to: "50ms" } }),
    Sidecar.start({ url: echo.url, protocol: "text" }),
  ]);
  app = createApp({ json: sidecar, text }, { tokens: [token] });
});
after(async () => {
  await Promise.all([sidecar?.exit(), text?.exit()]);
  await Promise.all([upstream?.stop(), echo?.stop()]);
});

const reach: Fetch = (url, init) => app.fetch(new Request(url, init));

/** A client whose calls go through `fetch`, by default straight to the app. */
function client(fetch: Fetch = reach, more: ClientOptions = {}): RemoteSidecar {
  return connect("http://service.example/", { token, upstream: "json", fetch, ...more });
}

const refusedConnection = () => Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } });

test("a service that is not there is an error that says whether anything was sent", async () => {
  const nobody = client(() => Promise.reject(refusedConnection()));
  await assert.rejects(nobody.request(call("echo")), failsAs("service_lost", "no"));
  await assert.rejects(nobody.rpc("echo"), { retry: "now", retrySafe: true });
  await assert.rejects(nobody.readState(), failsAs("service_lost", "no"));
  const deaf = client(() => Promise.reject(new TypeError("fetch failed")));
  await assert.rejects(deaf.send(call("echo")), failsAs("service_lost", "maybe"));
  await assert.rejects(deaf.readState(), failsAs("service_lost", "no"));
  const broken = client(async (url, init) => {
    const { status, headers } = await reach(url, init);
    return new Response(new ReadableStream({ start: (out) => out.error(new Error("cut")) }), { status, headers });
  });
  await assert.rejects(broken.request(call("echo")), failsAs("service_lost", "maybe"));
});

test("a response that is none of sidesocket is no reply", async () => {
  for (const response of [
    () => new Response("<h1>Bad gateway</h1>", { status: 502 }),
    () => Response.json({ error: "nope" }, { status: 404 }),
  ]) {
    await assert.rejects(client(response).request(call("echo")), failsAs("service_lost", "maybe", /HTTP \d+ is no/));
  }
});

test("a wrong token and an unknown upstream are the service's own failures", async () => {
  await assert.rejects(client(reach, { token: "wrong" }).rpc("echo"), failsAs("unauthorized", "no"));
  await assert.rejects(client(reach, { upstream: "none" }).request(call("echo")), failsAs("not_found", "no"));
  await assert.rejects(client(reach, { upstream: "text" }).rpc("echo"), failsAs("not_found", "no", /not json-rpc/));
});

test("text and bytes go up as they are to an upstream that takes any", async () => {
  const caller = client(reach, { upstream: "text" });
  assert.equal(await caller.request("as text").text(), "as text");
  assert.equal(await caller.request(new TextEncoder().encode("as bytes")).text(), "as bytes");
  assert.deepEqual(
    echo.messages.map((message) => message instanceof Uint8Array),
    [false, true],
  );
});

test("a message whose response is lost is repeated by its key, and sent once", async () => {
  let calls = 0;
  const losing: Fetch = async (url, init) => {
    const response = await reach(url, init);
    if (++calls <= 2) throw new TypeError("fetch failed");
    return response;
  };
  await assert.rejects(client(losing).rpc("echo", ["lost"]), failsAs("service_lost", "maybe"));
  calls = 0;
  assert.deepEqual(await client(losing, { repeat: 2 }).rpc("echo", ["repeated"]), ["repeated"]);
  assert.equal(received(upstream, '"repeated"').length, 1);
  calls = 0;
  await assert.rejects(client(losing, { repeat: 1 }).send(call("echo")), failsAs("service_lost", "maybe"));
});

test("a message that may have been sent stays so, whatever its repetitions end with", async () => {
  let calls = 0;
  const losing: Fetch = async (url, init) => {
    if (++calls > 1) throw refusedConnection();
    await reach(url, init);
    throw new TypeError("fetch failed");
  };
  await assert.rejects(client(losing, { repeat: 2 }).rpc("echo", ["once"]), failsAs("service_lost", "maybe"));
  assert.deepEqual([calls, received(upstream, '"once"').length], [3, 1]);
});

test("a message that was refused unsent is repeated only if that may help", async () => {
  let calls = 0;
  const busy: Fetch = (url, init) => {
    const code = ++calls === 1 ? "too_many_in_flight" : "";
    const headers = { "sidesocket-code": code, "sidesocket-sent": "no", "retry-after": "0" };
    return code === "" ? reach(url, init) : Response.json({ code, sent: "no" }, { status: 429, headers });
  };
  assert.deepEqual(await client(busy, { repeat: 1 }).rpc("echo", [1]), [1]);
  calls = 1;
  await assert.rejects(client(busy, { repeat: 5 }).request("{"), failsAs("invalid_request", "no"));
  assert.equal(calls, 2);
});

test("the late reply of a request that has timed out is fetched", async () => {
  const caller = client();
  const failed = await caller.request(call("sleep", [300], "late"), { timeoutMs: 50 }).catch((error) => error);
  assert.ok(failed instanceof SidesocketError && failed.code === "reply_timeout");
  await assert.rejects(caller.lateReply(failed, { timeoutMs: 1 }), failsAs("reply_timeout", "maybe"));
  assert.equal(await caller.lateReply(failed), '{"jsonrpc":"2.0","id":"late","result":[300]}');
  const other = new SidesocketError({ code: "reply_timeout", sent: "maybe", detail: "another's" });
  await assert.rejects(caller.lateReply(other), /another's/);
});

test("a request that waits longer than the service does goes on at the place of its late reply", async () => {
  const paths: string[] = [];
  const hasty: Fetch = (url, init) => {
    paths.push(new URL(url).pathname);
    return reach(url.replace(/timeout=\d+ms/, "timeout=50ms"), init);
  };
  assert.deepEqual(await client(hasty).rpc("sleep", [200], { timeoutMs: 10_000 }), [200]);
  assert.match(paths.join(" "), /^\/rpc\/json (\/v1\/requests\/\S+ ?)+$/);
});

test("a stream of messages that is cut is resumed, without a loss or a repetition", async () => {
  let open: AbortController[] = [];
  const cutting: Fetch = async (url, init) => {
    const cut = new AbortController();
    open.push(cut);
    const response = await reach(url, init);
    if (!response.body || !url.includes("/messages")) return response;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    response.body.pipeTo(writable, { signal: cut.signal }).catch(() => {});
    return new Response(readable, response);
  };
  const caller = client(cutting);
  await using subscription = caller.subscribe(ticksOf("cuts"), { after: "latest" });
  const first = subscription.next();
  await bounded(subscription.agreed);
  const seen: number[] = [];
  const numbers = 200;
  const saying = (async () => {
    // The place of `latest` is known when the stream has been opened.
    await until(() => open.length >= 3);
    for (let n = 1; n <= numbers; n++) {
      tick(upstream, "cuts", n);
      if (n % 40 === 0) for (const cut of open.splice(0)) cut.abort();
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  const add = ({ value }: Awaited<ReturnType<typeof subscription.next>>) => {
    assert.ok(value && "data" in value, JSON.stringify(value));
    seen.push(JSON.parse(String(value.data)).params.n);
  };
  add(await bounded(first));
  while (seen.length < numbers) add(await bounded(subscription.next()));
  await saying;
  open = [];
  assert.deepEqual(
    seen,
    Array.from({ length: numbers }, (_, at) => at + 1),
  );
});

test("a stream that cannot be resumed in time fails", async () => {
  let isThere = true;
  const going: Fetch = async (url, init) => {
    if (!isThere) throw refusedConnection();
    const response = await reach(url, init);
    isThere = !url.includes("/messages");
    return isThere ? response : new Response("", response);
  };
  const reading = client(going, { resumeMs: 100 }).messages().next();
  await assert.rejects(bounded(reading), failsAs("service_lost", "no"));
});

test("numbers beyond 2^53, bytes and gaps come as the upstream sent them", async () => {
  const lines = [
    '{"cursor":"e-1","at":"2026-01-01T00:00:00.000Z","data":{"n":9007199254740993,"data":"x"}}',
    '{"cursor":"e-2","at":"2026-01-01T00:00:00.000Z","encoding":"base64","data":"AQID"}',
    ' {"cursor":"e-3","at":"2026-01-01T00:00:00.000Z","data":"plain \\" text"}',
    '{"cursor":"e-4","at":"2026-01-01T00:00:00.000Z","gap":{"after":null,"before":"e-5","dropped":null,' +
      '"reason":"away","from":"2026-01-01T00:00:01.000Z"}}',
    '{"end":{"next":"e-4","reason":"shutting_down"}}',
  ];
  const seen: unknown[] = [];
  for await (const message of client(() => new Response(`${lines.join("\n")}\n`)).messages()) seen.push(message);
  const at = new Date("2026-01-01T00:00:00.000Z");
  assert.deepEqual(seen, [
    { cursor: "e-1", at, kind: "json", data: '{"n":9007199254740993,"data":"x"}' },
    { cursor: "e-2", at, kind: "binary", data: new Uint8Array([1, 2, 3]) },
    { cursor: "e-3", at, kind: "text", data: 'plain " text' },
    {
      cursor: "e-4",
      at,
      gap: { after: null, before: "e-5", dropped: null, reason: "away", from: Date.parse("2026-01-01T00:00:01.000Z") },
    },
  ]);
});

test("a client that was closed ends its iterations, makes no further call, and leaves the service alone", async () => {
  const caller = client();
  const reading = caller.messages({ after: "latest" }).next();
  await caller.readState();
  await caller.close();
  assert.deepEqual(await bounded(reading), { done: true, value: undefined });
  await assert.rejects(caller.rpc("echo"), failsAs("shutting_down", "no"));
  assert.deepEqual(await client().rpc("echo", [1]), [1]);
});

test("wrong options are refused by name", () => {
  assert.throws(() => connect("ws://127.0.0.1/"), failsAs("invalid_config", "no", /http:\/\//));
  assert.throws(() => connect("nothing"), failsAs("invalid_config", "no"));
  const misspelt = { tokens: "x" } as object;
  assert.throws(() => connect("http://127.0.0.1/", misspelt), failsAs("invalid_config", "no", /did you mean token\?/));
  assert.throws(() => connect("http://127.0.0.1/", { repeat: 1.5 }), failsAs("invalid_config", "no", /repeat/));
});
