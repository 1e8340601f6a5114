/** The support itself, where a mistake would falsify other tests. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { describe, test } from "node:test";
import { Client } from "../faults/client.ts";
import { Child, run } from "./child.ts";
import { RawConnection, rawRequest } from "./http.ts";
import { descriptors, descriptorTargets, residentBytes, threads } from "./proc.ts";
import { logLines, reportsIn } from "./report.ts";
import { denoPath, nodePath, runtime } from "./root.ts";
import { bounded, type Cleanup, delay, until, Watch } from "./until.ts";
import { startUpstream } from "./upstream.ts";

/** Builds the command that runs a script on the runtime of this test. */
function script(source: string): { readonly command: string; readonly args: readonly string[] } {
  return { command: process.execPath, args: [runtime === "deno" ? "eval" : "-e", source] };
}

function start(source: string, t: Cleanup): Promise<Child> {
  return Child.start({ ...script(source), env: process.env, t });
}

describe("waits", () => {
  test("a vain wait ends, and names what it waited for", async () => {
    await assert.rejects(
      until(() => false, { within: 20, what: "the moon" }),
      /waited 20 ms for the moon/,
    );
    await assert.rejects(
      new Watch().until(() => false, { within: 20, what: () => "the moon" }),
      /waited 20 ms for the moon/,
    );
    await assert.rejects(bounded(new Promise(() => {}), { within: 20, what: "the moon" }), /waited 20 ms for the moon/);
  });

  test("a watch sees what held before, what came later, and what throws", async () => {
    const watch = new Watch();
    let value = 0;
    assert.equal(await watch.until(() => "already"), "already");
    const later = watch.until(() => value === 2 && "now");
    const thrown = watch.until(() => {
      if (value === 1) throw new Error("seen");
    });
    value = 1;
    watch.changed();
    await assert.rejects(thrown, /seen/);
    value = 2;
    watch.changed();
    assert.equal(await later, "now");
  });
});

describe("children", () => {
  test("a handled signal's own exit code is reported, and a default one's signal", async (t) => {
    const handles = "process.on('SIGTERM', () => process.exit(70)); console.log('up'); setInterval(() => {}, 1e3)";
    const first = await start(handles, t);
    await first.until(() => first.stdout.includes("up"));
    const stopped = await first.stop();
    assert.deepEqual([stopped.code, stopped.signal], [70, null]);
    assert.ok(stopped.ms > 0 && stopped.ms < 5_000);
    const second = await start("console.log('up'); setInterval(() => {}, 1e3)", t);
    await second.until(() => second.stdout.includes("up"));
    const { code, signal } = await second.stop("SIGINT");
    assert.deepEqual([code, signal], [null, "SIGINT"]);
    assert.equal(second.signal("SIGTERM"), false);
  });

  test("a child that does not end is killed, and its output is reported", async (t) => {
    const child = await start(
      "process.on('SIGTERM', () => console.error('no')); console.log('up'); setInterval(() => {}, 1e3)",
      t,
    );
    await child.until(() => child.stdout.includes("up"));
    await assert.rejects(child.stop("SIGTERM", 200), /waited 200 ms.*killed it.*no/s);
    assert.deepEqual(await child.exited, { code: null, signal: "SIGKILL" });
  });

  test("a stopped child can be killed", async (t) => {
    const child = await start("setInterval(() => {}, 1e3)", t);
    child.signal("SIGSTOP");
    await child.kill();
    assert.deepEqual(await child.exited, { code: null, signal: "SIGKILL" });
  });

  test("run returns code and all output, and passes input", async () => {
    const source = "process.stdin.pipe(process.stdout); process.stdin.on('end', () => { process.exitCode = 3 })";
    const big = "x".repeat(1_000_000);
    const ran = await run({ ...script(source), env: process.env, input: big });
    assert.deepEqual([ran.code, ran.stdout.length, ran.stderr], [3, big.length, ""]);
  });

  test("a program that cannot be started is reported", async () => {
    await assert.rejects(run({ command: "/nowhere/nothing" }), /ENOENT/);
  });

  test("Deno is found on either runtime, and on Node itself, Node", async () => {
    assert.match((await run({ command: denoPath(), args: ["--version"], env: process.env })).stdout, /^deno 2\./);
    if (runtime === "node") assert.equal(nodePath(), process.execPath);
  });

  test("facts of a process are read from Linux", { skip: process.platform !== "linux" }, async (t) => {
    const child = await start("console.log('up'); setInterval(() => {}, 1e3)", t);
    await child.until(() => child.stdout.includes("up"));
    assert.ok(descriptorTargets(child.pid).includes("/dev/null"));
    assert.ok(descriptors(child.pid) > 3 && threads(child.pid) > 1 && residentBytes(child.pid) > 1e6);
  });
});

describe("the scripted upstream", () => {
  test("answers by method, records everything, and restarts on one port", async (t) => {
    const upstream = await startUpstream({ t });
    const client = await Client.open(upstream.url, t);
    client.request("a", "echo", { deep: [1] });
    client.request(2, "error", [-32001, "no", { why: 1 }]);
    client.request(3, "notify", [2]);
    client.request(4, "binary", 7);
    client.request(5, "nothing of the kind");
    client.request(6, "silent");
    client.request(7, "sleep", [20]);
    await client.replies(8);
    assert.deepEqual(client.messages, [
      { jsonrpc: "2.0", id: "a", result: { deep: [1] } },
      { jsonrpc: "2.0", id: 2, error: { code: -32001, message: "no", data: { why: 1 } } },
      { jsonrpc: "2.0", method: "note", params: { n: 1 } },
      { jsonrpc: "2.0", method: "note", params: { n: 2 } },
      { jsonrpc: "2.0", id: 3, result: 2 },
      { jsonrpc: "2.0", id: 4, result: 7 },
      { jsonrpc: "2.0", id: 5, error: { code: -32601, message: "Method not found: nothing of the kind" } },
      { jsonrpc: "2.0", id: 7, result: [20] },
    ]);
    assert.equal(upstream.texts.length, 7);
    const { port } = upstream;
    upstream.kill("reset");
    assert.equal((await client.closed()).code, 1006);
    await upstream.stop();
    const refused = new Client(upstream.url, t);
    await refused.closed();
    assert.match(refused.errors.join(), /ECONNREFUSED/);
    await upstream.restart();
    assert.equal(upstream.port, port);
    const again = await Client.open(upstream.url, t);
    again.socket.close(4000, "bye");
    await upstream.until(() => upstream.last.closed);
    assert.deepEqual(upstream.last.closed, { code: 4000, reason: "bye" });
    assert.equal(upstream.connections.length, 2);
  });

  test("a custom handler, a greeting, a subprotocol and a refusal work", async (t) => {
    const upstream = await startUpstream({
      onConnection: (connection) => connection.send("hello"),
      onMessage: (message, connection) => connection.send(message),
      subprotocol: (offered) => offered.at(-1),
      refuse: ({ url }) => (url === "/no" ? 403 : undefined),
      t,
    });
    const client = await Client.open(upstream.url, t);
    client.socket.send("x");
    await client.replies(2);
    assert.deepEqual(client.texts, ["hello", "x"]);
    const refused = new Client(`${upstream.url}no`, t);
    assert.equal((await refused.refused()).statusCode, 403);
    assert.equal(upstream.refusals, 1);
  });
});

describe("HTTP by hand", () => {
  test("sends what fetch would not, and reads lengths, chunks, and ends", async (t) => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.headers.host} ${request.url}`);
      if (request.url === "/empty") response.writeHead(204).end();
      else if (request.url === "/chunks") {
        response.write("one,");
        setTimeout(() => response.end("two"), 10);
      } else request.on("data", () => {}).on("end", () => response.setHeader("Set-Cookie", ["a", "b"]).end("léngth"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const connection = await RawConnection.open(url, t);
    connection.send({ path: "/chunks", headers: { host: "evil.example" } });
    connection.send({ path: "/empty" });
    connection.write("POST / HTTP/1.1\r\nHost: half\r\nContent-Length: 4\r\n\r\nab");
    assert.equal((await connection.response()).body, "one,two");
    assert.equal((await connection.response()).status, 204);
    await delay(20); // Half a body: no event signals that nothing arrives.
    assert.equal(connection.ended, undefined);
    connection.write("cd");
    const last = await connection.response();
    assert.deepEqual([last.body, last.headers.get("set-cookie")], ["léngth", "a, b"]);
    assert.deepEqual(seen, ["evil.example /chunks", `${new URL(url).host} /empty`, "half /"]);
    server.closeAllConnections();
    assert.equal(await connection.closed(), "fin");
    const once = await rawRequest(url, { method: "PUT", path: "/x", body: "body" });
    assert.equal(once.status, 200);
    await assert.rejects(rawRequest("http://127.0.0.1:1", {}), /ECONNREFUSED/);
  });
});

describe("the log", () => {
  test("a report is found as its own line or inside one, and nothing else is", () => {
    const report = { cause: "SIGTERM", forced: false, exit_code: 0, ms: 1, steps: [] };
    const log = ["plain", "{broken", JSON.stringify({ steps: [] }), JSON.stringify(report)];
    const lines = logLines([...log, JSON.stringify({ level: "info", properties: { report } })].join("\n"));
    assert.deepEqual(reportsIn(lines), [report, report]);
  });
});
