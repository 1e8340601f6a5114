/** The end of the HTTP listener: the connections that it cuts, those that it keeps, and its bounds. */

import assert from "node:assert/strict";
import { lstatSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { get, type RequestOptions } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { listenOnFile } from "../../src/net/socket-file.ts";
import { runtime } from "../../src/runtime/pick-runtime.ts";
import type { Listener, ListenOptions } from "../../src/runtime/runtime.ts";
import { socketFault } from "../../src/service/listen-cures.ts";
import * as certificates from "../faults/certificates.ts";
import { RawConnection } from "../support/http.ts";
import { bounded, type Cleanup, delay, until } from "../support/until.ts";

/** Time that a connection without a pending request is spared, in milliseconds. */
const GRACE_MS = 100;
/** The same before its first request. */
const FRESH_GRACE_MS = 400;
/** Time limit for a header, in milliseconds. */
const HEADERS_WITHIN_MS = 10_000;
/** More bytes than the buffers of both ends of a connection can hold. */
const ENDLESS_BYTES = 64 * 1024 * 1024;
const LARGE_BYTES = 16 * 1024 * 1024;

const LAST_RESPONSE = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbye\n";

const place = {
  host: "127.0.0.1",
  port: 0,
  keepAliveMs: 60_000,
  connectionsMax: 1_000,
  onFull: () => {},
  onDeaf: () => {},
  lastResponse: LAST_RESPONSE,
  refusal: (status: number, body: string) => ({ status, reason: "", headers: { Connection: "close" }, body }),
};

interface Site extends Listener {
  readonly url: string;
  /** The number of requests that have arrived. */
  requests(): number;
}

async function open(body: string, t: Cleanup, options: Partial<ListenOptions> = {}): Promise<Site> {
  let requests = 0;
  const fetch = () => {
    requests++;
    return new Response(body);
  };
  const listener = await runtime.listen({ ...place, ...options, fetch });
  t.after(async () => {
    listener.close();
    listener.cut(new Set());
    await listener.answered(0);
  });
  return { ...listener, url: `http://127.0.0.1:${listener.port}`, requests: () => requests };
}

test("an unread response delays the end no longer than its bound", async (t) => {
  const site = await open("x".repeat(ENDLESS_BYTES), t);
  const stalled = await RawConnection.open(site, t);
  stalled.pause();
  stalled.send({ path: "/" });
  await until(() => site.requests() === 1);
  site.close();
  const began = performance.now();
  await bounded(site.answered(300), { what: "the end despite a caller that never reads" });
  assert.ok(performance.now() - began >= 290, "it was cut before its bound");
});

test("a response is not cut while it is read, and the end comes before its bound", async (t) => {
  const site = await open("x".repeat(LARGE_BYTES), t);
  const reader = await RawConnection.open(site, t);
  reader.pause();
  reader.send({ path: "/", headers: { Connection: "close" } });
  await until(() => site.requests() === 1);
  site.close();
  const over = site.answered(60_000);
  await delay(2 * GRACE_MS); // connections to be cut are gone by now
  reader.resume();
  const { status, bytes } = await reader.response();
  assert.deepEqual([status, bytes.length], [200, LARGE_BYTES]);
  reader.destroy();
  await bounded(over, { what: "the end after the last caller has left" });
});

test("an idle kept connection does not delay a flush", async (t) => {
  const site = await open("here", t);
  const caller = await RawConnection.open(site, t);
  for (let n = 0; n < 2; n++) {
    caller.send({ path: "/" });
    assert.equal((await caller.response()).body, "here");
  }
  await bounded(site.flushed(new Set()), { what: "the flush of written responses" });
  assert.equal(caller.ended, undefined);
});

test("a caller that leaves with queued requests does not delay a flush", async (t) => {
  const site = await open("x".repeat(ENDLESS_BYTES), t);
  const caller = await RawConnection.open(site, t);
  caller.pause();
  // All responses but the first wait for their turn; Node does not close those when the caller leaves.
  for (let n = 0; n < 3; n++) caller.send({ path: "/" });
  await until(() => site.requests() === 3);
  const flushed = site.flushed(new Set());
  caller.destroy();
  await bounded(flushed, { what: "the flush after the caller has left" });
});

test("a caller that leaves with queued streams cancels them all", async (t) => {
  let [requests, cancelled] = [0, 0];
  const fetch = () => {
    requests++;
    return new Response(new ReadableStream({ cancel: () => void cancelled++ }));
  };
  const listener = await runtime.listen({ ...place, fetch });
  t.after(async () => {
    listener.close();
    listener.cut(new Set());
    await listener.answered(0);
  });
  const caller = await RawConnection.open({ url: `http://127.0.0.1:${listener.port}` }, t);
  for (let n = 0; n < 3; n++) caller.send({ path: "/" });
  await until(() => requests === 3);
  await delay(GRACE_MS); // all of them are being read now
  caller.destroy();
  await until(() => cancelled === 3);
});

test("a new connection is not cut and gets its response; one that stays silent is cut a moment later", async (t) => {
  const site = await open("here", t);
  for (let round = 1; ; round++) {
    const began = performance.now();
    const [fresh, silent] = [await RawConnection.open(site, t), await RawConnection.open(site, t)];
    // The response to a later connection proves that the listener knows both.
    const other = await RawConnection.open(site, t);
    other.send({ path: "/" });
    await other.response();
    site.cut(new Set());
    if (performance.now() - began >= FRESH_GRACE_MS) {
      assert.ok(round < 50, "the machine is too busy for this");
      continue;
    }
    // Only `cut` ends connections, so that from here on the machine may take its time.
    fresh.send({ path: "/" });
    assert.equal((await fresh.response()).body, "here");
    await other.until(() => other.ended);
    assert.equal(silent.ended, undefined);
    // Its grace begins with the last response, whose end the listener sees later than its caller.
    const isCut = () => {
      site.cut(new Set());
      return silent.ended !== undefined;
    };
    await until(isCut, { what: "the end of the silent one" });
    assert.ok(performance.now() - began >= FRESH_GRACE_MS, "it was cut before its grace was over");
    // Node's own end, for a header that has not come after 10 s, would have another response.
    assert.equal(silent.received, LAST_RESPONSE);
    return;
  }
});

test("a retired listener ends each connection with its next response, and idle ones with a last one", async (t) => {
  const site = await open("here", t);
  const [asking, idle] = [await RawConnection.open(site, t), await RawConnection.open(site, t)];
  for (const caller of [asking, idle]) {
    caller.send({ path: "/" });
    assert.notEqual((await caller.response()).headers.get("connection"), "close");
  }
  site.retire();
  site.cut(new Set()); // within their grace
  asking.send({ path: "/" });
  const last = await asking.response();
  assert.deepEqual([last.body, last.headers.get("connection")], ["here", "close"]);
  assert.equal(await asking.closed(), "fin");
  assert.equal(idle.ended, undefined);
  await delay(GRACE_MS);
  site.cut(new Set());
  // A request that crosses the connection's end finds a response, and then the end.
  idle.send({ path: "/" });
  const ending = await idle.response();
  assert.deepEqual([ending.status, ending.body], [408, "bye\n"]);
  assert.equal(await idle.closed(), "fin");
  assert.ok(idle.received.endsWith(LAST_RESPONSE), "nothing follows it");
});

test("an endless header is cut after 10 s, even after a response, and an idle connection is kept", async (t) => {
  const site = await open("here", t);
  const [fresh, used, idle] = [
    await RawConnection.open(site, t),
    await RawConnection.open(site, t),
    await RawConnection.open(site, t),
  ];
  for (const caller of [used, idle]) {
    caller.send({ path: "/" });
    await caller.response();
  }
  const began = performance.now();
  for (const slow of [fresh, used]) slow.write("GET / HTTP/1.1\r\nHost: ");
  // Node and Deno check every second.
  const within = HEADERS_WITHIN_MS + 5_000;
  await Promise.all([fresh, used].map((slow) => slow.until(() => slow.ended, { within, what: "its end" })));
  assert.ok(performance.now() - began >= HEADERS_WITHIN_MS - 500, "it was cut before its bound");
  assert.equal(idle.ended, undefined);
});

test("a body may arrive for longer than a whole request as often as that is granted, and others may not", async (t) => {
  const requestWithinMs = 1_000;
  const began = performance.now();
  const grants = new Map<string, (ms: number) => void>();
  const fetch = async (request: Request, env: unknown) => {
    const { pathname } = new URL(request.url);
    const { grant } = env as { readonly grant: (ms: number) => void };
    grants.set(pathname, grant);
    if (pathname !== "/usual") grant(60_000);
    // The newest grant is the one that counts.
    if (pathname === "/ending") grant(1_500);
    if (pathname === "/busy") {
      grant(100);
      await delay(2_500);
    }
    return new Response(await request.text());
  };
  const listener = await runtime.listen({ ...place, requestWithinMs, fetch });
  t.after(async () => {
    listener.close();
    listener.cut(new Set());
    await listener.answered(0);
  });
  const site = { url: `http://127.0.0.1:${listener.port}` };
  const headers = { "Transfer-Encoding": "chunked" };
  const upload = async (path: string) => {
    const caller = await RawConnection.open(site, t);
    caller.send({ method: "POST", path, headers });
    caller.write("1\r\na\r\n");
    await until(() => grants.has(path));
    return caller;
  };
  const [lasting, ending, usual] = [await upload("/lasting"), await upload("/ending"), await upload("/usual")];
  const late = await usual.response();
  assert.equal(late.status, 408);
  assert.match(late.body, /the whole request within 1 s/);
  assert.equal(await usual.closed(), "fin");
  let written = 1;
  for (; performance.now() - began < 2_500; written++) {
    grants.get("/lasting")?.(60_000);
    lasting.write("1\r\na\r\n");
    await delay(100);
  }
  lasting.write("0\r\n\r\n");
  assert.equal((await lasting.response()).body, "a".repeat(written));
  await ending.closed();
  assert.equal(ending.received, "", "it was cut before a response");
  // One that has come wholly is not cut while its reader is busy, for longer than the usual bound.
  lasting.send({ method: "POST", path: "/busy", headers });
  lasting.write("3\r\naaa\r\n0\r\n\r\n");
  assert.equal((await lasting.response()).body, "aaa");
  // The next request of the connection has the usual bound again.
  lasting.send({ method: "POST", path: "/usual", headers });
  assert.equal((await lasting.response()).status, 408);
});

/** The body of the response over TLS. Rejects if there is no connection. */
function askSecurely(port: number, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, agent: false, ca: certificates.authority, ...options });
    request.once("error", reject);
    request.once("response", (response) => {
      response.setEncoding("utf8").once("data", resolve).once("error", reject);
    });
  });
}

test("with certificates of callers to trust it serves only these, and a handshake that stalls holds up no end", async (t) => {
  const certificate = { ...certificates.good, ca: certificates.authority };
  const listener = await open("served", t, { tls: { certificate, minVersion: "1.3" } });
  const { port } = listener;
  assert.equal(await askSecurely(port, certificates.good), "served");
  await assert.rejects(askSecurely(port, {}), "no certificate");
  await assert.rejects(askSecurely(port, certificates.selfSigned), "that of another");
  await assert.rejects(askSecurely(port, { ...certificates.good, maxVersion: "TLSv1.2" }), "an old version");
  listener.renew({ ...certificates.wrongHost, ca: certificates.authority });
  await assert.rejects(askSecurely(port, certificates.good), "the certificate is for another host now");
  const renewed = { ...certificates.good, servername: "other.example" };
  assert.equal(await askSecurely(port, renewed), "served");
  await assert.rejects(askSecurely(port, { ...renewed, maxVersion: "TLSv1.2" }), "an old version after a renewal");
  await assert.rejects(askSecurely(port, { servername: "other.example" }), "no certificate after a renewal");
  assert.equal(listener.requests(), 2);

  const stalled = await RawConnection.open(listener, t);
  listener.close();
  await bounded(listener.answered(1_000));
  await until(() => stalled.ended);
});

test("connections whose handshake is not done count among the open ones", async (t) => {
  let full = 0;
  const tls = { certificate: certificates.good, minVersion: "1.2" } as const;
  const onFull = () => {
    full++;
  };
  const listener = await open("served", t, { tls, connectionsMax: 1, onFull });
  const stalled = await RawConnection.open(listener, t);
  await assert.rejects(askSecurely(listener.port, {}));
  assert.equal(full, 1);
  stalled.destroy();
  await until(() => askSecurely(listener.port, {}).catch(() => false));
});

test("a Unix socket is not put in place of another file, nor into a folder that is not there", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-listener-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "a.sock");
  const at = (to: string) => open("", t, { socket: { path: to, mode: 0o640 } });
  await writeFile(path, "precious");
  await assert.rejects(at(path), { code: "EEXIST" });
  await assert.rejects(at(join(folder, "no", "a.sock")), { code: "ENOENT" });
  assert.equal((await stat(path)).size, 8);
  await rm(path);
  const other = createServer().listen(path);
  t.after(() => other.close());
  await until(() => other.listening);
  await assert.rejects(at(path), { code: "EADDRINUSE" });
  await new Promise((resolve) => other.close(resolve));
  await at(path);
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  assert.deepEqual(await readdir(folder), ["a.sock"]);
});

describe("the file of a Unix socket", () => {
  let folder = "";
  let path = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-listener-"));
    path = join(folder, "a.sock");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const at = (t: Cleanup) => open("", t, { socket: { path, mode: 0o600 } });
  /** Leaves the file of a socket on which nothing listens any more. */
  const leave = async (left: string): Promise<void> => {
    const server = createServer().listen(`${left}.left`);
    await until(() => server.listening);
    await rename(`${left}.left`, left);
    await new Promise((resolve) => server.close(resolve));
  };

  test("is not removed by an exit if it has become that of another process", async (t) => {
    const first = await at(t);
    await rm(path);
    const second = await at(t);
    first.close();
    assert.deepEqual(await readdir(folder), ["a.sock"]);
    await assert.rejects(at(t), { code: "EADDRINUSE" }, "the second is still reached");
    second.close();
    assert.deepEqual(await readdir(folder), []);
  });

  test("that is left behind is taken by one of many starts at once", async (t) => {
    for (let round = 0; round < 6; round++) {
      await leave(path);
      const starts = await Promise.allSettled(Array.from({ length: 4 }, () => at(t)));
      const codes = starts.map((start) => (start.status === "fulfilled" ? "" : start.reason.code)).sort();
      assert.deepEqual(codes, ["", "EADDRINUSE", "EADDRINUSE", "EADDRINUSE"]);
      for (const start of starts) if (start.status === "fulfilled") start.value.close();
    }
  });

  test("is made where nobody else can enter, and has its mode before it is on its path", async (t) => {
    const server = createServer();
    t.after(() => server.close());
    const listen = server.listen.bind(server);
    const mode = (of: string) => lstatSync(of, { throwIfNoEntry: false })?.mode.toString(8).slice(-3);
    let bound: unknown;
    const observed = (options: object) => {
      listen(options);
      bound = [mode(path), mode(`${path}.new`)];
    };
    Object.assign(server, { listen: observed });
    const removeFile = await listenOnFile(server, { path, mode: 0o660 }, 1);
    assert.deepEqual([bound, mode(path)], [[undefined, "700"], "660"]);
    removeFile();
  });

  test("that this user may not connect to is refused with a cure of its own", async (t) => {
    await leave(path);
    await chmod(path, 0);
    await chmod(folder, 0o777);
    const isRoot = process.geteuid?.() === 0;
    // Root may connect to every socket.
    if (isRoot) process.seteuid?.(65534);
    const refused = await at(t).then(
      () => undefined,
      (error) => error,
    );
    if (isRoot) process.seteuid?.(0);
    assert.equal(refused?.code, "EACCES");
    assert.match(socketFault(path, refused).message, /EACCES\): a socket that this user may not connect to is there/);
    assert.deepEqual(await readdir(folder), ["a.sock"]);
  });

  test("is made although a process ended while it made its own, but not through a link", async (t) => {
    await mkdir(`${path}.new`);
    await leave(join(`${path}.new`, "s"));
    (await at(t)).close();
    assert.deepEqual(await readdir(folder), []);
    const elsewhere = join(folder, "elsewhere");
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, "s"), "precious");
    await symlink(elsewhere, `${path}.new`);
    await assert.rejects(at(t), { code: "EEXIST", cure: `${path}.new is in the way: remove it` });
    assert.deepEqual(await readdir(elsewhere), ["s"]);
  });
});
