/** `sidesocket call` as a real process: one request from a shell. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Child, type Ran } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { productCommand, runProduct } from "../support/product.ts";
import { root, runtime } from "../support/root.ts";
import { type Message, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { answerJsonRpc } from "../support/upstream-methods.ts";

const message = (method: string, params: unknown = []) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });

/** The method `neither` gets a reply that violates the protocol. */
function answer(message: Message, connection: UpstreamConnection): void {
  const { id, method } = JSON.parse(String(message)) as { id: number; method: string };
  if (method === "neither") connection.send({ jsonrpc: "2.0", id });
  else answerJsonRpc(message, connection);
}

/** Asserts a failure: nothing on stdout and the problem as one line on stderr. */
function failed(ran: Ran, code: number, problem: { code: string; sent: string; detail?: RegExp }): void {
  assert.equal(ran.code, code, ran.stderr);
  assert.equal(ran.stdout, "");
  assert.match(ran.stderr, /^[^\n]+\n$/);
  const document = JSON.parse(ran.stderr);
  assert.deepEqual([document.code, document.sent], [problem.code, problem.sent]);
  assert.equal(document.retry_safe, problem.sent === "no");
  if (problem.detail) assert.match(document.detail, problem.detail);
}

describe("sidesocket call", () => {
  let upstream: Upstream;
  let folder = "";
  before(async () => {
    upstream = await startUpstream({ onMessage: answer });
    folder = await mkdtemp(join(tmpdir(), "sidesocket-call-"));
  });
  after(async () => {
    await upstream?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const call = (text: string, args: readonly string[] = [], options: Parameters<typeof runProduct>[1] = {}) =>
    runProduct(["call", text, "--upstream", upstream.url, ...args], options);
  const config = async (content: unknown): Promise<string> => {
    const file = join(folder, `${Math.random()}.yaml`);
    await writeFile(file, JSON.stringify(content));
    return file;
  };

  test("prints only the reply and a newline, and leaves the upstream with a close frame", async () => {
    const ran = await call('{"jsonrpc":"2.0","id":"mine","method":"echo","params":["ü"]}');
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    assert.equal(ran.stdout, '{"jsonrpc":"2.0","id":"mine","result":["ü"]}\n');
    await upstream.until(() => upstream.last.closed?.code === 1001);
  });

  test("opens no listener, so a taken port does not matter", async (t) => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    t.after(() => taken.close());
    const ran = await call(message("echo"), [], { env: { PORT: String((taken.address() as AddressInfo).port) } });
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
  });

  test("--pick prints one value; a missing value is exit code 5 and a problem", async () => {
    const picked = await call(message("echo", { price: "1.50" }), ["--pick", "/result/price"]);
    assert.deepEqual([picked.code, picked.stdout, picked.stderr], [0, "1.50\n", ""]);
    const none = await call(message("error", [-32042, "no luck"]), ["--pick", "/result"]);
    failed(none, 5, { code: "invalid_reply", sent: "yes", detail: /no luck/ });
  });

  test("several picks are a line each, in their order; one that is missing prints none", async () => {
    const two = ["--pick", "/result/b", "--pick", "/result/a"];
    const picked = await call(message("echo", { a: 1, b: ["x"] }), two);
    assert.deepEqual([picked.code, picked.stdout, picked.stderr], [0, '["x"]\n1\n', ""]);
    const none = await call(message("echo", { a: 1 }), two);
    failed(none, 5, { code: "invalid_reply", sent: "yes", detail: /"\/result\/b"/ });
  });

  test("a method has its parameters as JSON, or as text where they are none; no number is rounded", async () => {
    const params = ["1", "0x10", "12345678901234567890", '{"a": [true]}', '"7"', "two words"];
    const ran = await call("echo", params);
    const sent = '[1,"0x10",12345678901234567890,{"a": [true]},"7","two words"]';
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    assert.equal(
      upstream.last.texts[0]?.replace(/"id":\w+/, '"id":0'),
      `{"jsonrpc":"2.0","id":0,"method":"echo","params":${sent}}`,
    );
    assert.equal(JSON.parse(ran.stdout).id, 1);
    assert.equal((await call("echo", ["--pick", "/result/0", "--", "-5"])).stdout, "-5\n");
    await call("echo");
    assert.equal(JSON.parse(upstream.last.texts[0] ?? "").params, undefined);
  });

  test("- reads the message from standard input, without its last newline", async () => {
    const ran = await call("-", [], { input: `${message("echo", ["in"])}\n` });
    assert.equal(ran.stdout, '{"jsonrpc":"2.0","id":1,"result":["in"]}\n');
    const lines = await startUpstream({ onMessage: (text, connection) => connection.send(`<${text}>`) });
    try {
      const args = ["call", "-", "--protocol", "text", "--upstream", lines.url];
      assert.equal((await runProduct(args, { input: "a\nb\n" })).stdout, "<a\nb>\n");
      const text = (words: string[]) => runProduct(["call", ...words, "--protocol", "text", "--upstream", lines.url]);
      assert.equal((await text(["hello you"])).stdout, "<hello you>\n");
      const params = await text(["hello", "you"]);
      assert.equal(params.code, 2);
      assert.match(params.stderr, /with parameters is for the protocol json-rpc/);
    } finally {
      await lines.stop();
    }
  });

  test("a message over limits.request_bytes, an empty one and an invalid one are exit code 2", async () => {
    const limits = { request_bytes: "1kB" };
    const file = await config({ upstreams: { only: { url: upstream.url, limits } } });
    const large = message("echo", ["x".repeat(1_000)]);
    const tooLarge = { code: "payload_too_large", sent: "no", detail: /request_bytes.*1000/ };
    failed(await runProduct(["call", large, "--config", file]), 2, tooLarge);
    failed(await runProduct(["call", "-", "--config", file], { input: large }), 2, tooLarge);
    failed(await call("-", [], { input: "\n" }), 2, { code: "invalid_request", sent: "no", detail: /empty/ });
    failed(await call("{oops"), 2, { code: "invalid_request", sent: "no", detail: /JSON/ });
  });

  test("the exit code reports delivery: 3 no, 4 maybe, 5 yes", async () => {
    const nobody = `ws://127.0.0.1:${await freePort()}`;
    const down = await runProduct(["call", message("echo"), "--upstream", nobody]);
    failed(down, 3, { code: "upstream_down", sent: "no" });
    const waits = join(folder, "waits.mjs");
    await writeFile(waits, "await new Promise((resolve) => setTimeout(resolve, 1e9));");
    const loading = await call(message("echo"), ["--protocol", waits, "--timeout", "500ms"]);
    failed(loading, 3, { code: "upstream_down", sent: "no" });
    const silent = await call(message("silent"), ["--timeout", "2.5s"]);
    failed(silent, 4, { code: "reply_timeout", sent: "maybe" });
    failed(await call(message("drop")), 4, { code: "connection_lost", sent: "maybe" });
    failed(await call(message("neither")), 5, { code: "invalid_reply", sent: "yes" });
  });

  const several = { upstreams: { a: { url: "ws://127.0.0.1:1" }, b: { url: "ws://127.0.0.1:1" } } };
  const usages: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [["call"], /call takes one message/],
    [["call", "{}", "{}"], /call takes one message/],
    [["call", "{}", "--timeout", "soon"], /--timeout must be a time/],
    [["call", "{}", "--timeout", "0"], /--timeout must be at least 1ms/],
    [["call", "{}", "--timeout", "121"], /--timeout must not be longer than 120s/],
    [["call", "{}", "--pick", "result"], /--pick: "result" is not a JSON pointer/],
    [["serve", "--pick", "/result"], /only for call/],
    [["call", "{}", "--protocol", "none"], /--protocol/],
  ];
  for (const [args, said] of usages) {
    test(`${args.join(" ")} is exit code 2`, async () => {
      const ran = await runProduct(args);
      assert.deepEqual([ran.code, ran.stdout], [2, ""]);
      assert.match(ran.stderr, said);
    });
  }

  test("--to chooses an upstream; default is used among several, and required to exist", async () => {
    const ran = await runProduct(["call", message("echo"), "--config", await config(several)]);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /none is named default: choose by --to \(a, b\)/);
    const file = await config({ upstreams: { ...several.upstreams, default: { url: upstream.url } } });
    assert.equal((await runProduct(["call", message("echo"), "--config", file])).code, 0);
    const named = await config({ upstreams: { ...several.upstreams, third: { url: upstream.url } } });
    assert.equal((await runProduct(["call", "echo", "x", "--config", named, "--to", "third"])).code, 0);
    const unknown = await runProduct(["call", "echo", "--config", named, "--to", "thrid"]);
    assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
    assert.match(unknown.stderr, /--to: unknown upstream \(did you mean third\?\)/);
  });

  test("the demo is used when no upstream is given", async () => {
    const ran = await runProduct(["call", message("echo", ["hello"])]);
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    assert.equal(ran.stdout, '{"jsonrpc":"2.0","id":1,"result":["hello"]}\n');
  });

  const started = async (method: string, params: unknown[], t: { after(fn: () => Promise<void>): void }) => {
    const before = upstream.messages.length;
    const file = await config({
      upstreams: { default: { url: upstream.url } },
      shutdown: { drain: "5s" },
    });
    const { command, args } = productCommand(["call", message(method, params), "--config", file]);
    const child = await Child.start({ command, args, cwd: root });
    t.after(() => child.kill());
    await upstream.until(() => upstream.messages.length > before);
    return child;
  };

  test("SIGTERM and SIGINT wait for a reply in flight", async (t) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const child = await started("sleep", [1_000], t);
      assert.equal((await child.stop(signal)).code, 0, child.output());
      assert.equal(child.stdout, '{"jsonrpc":"2.0","id":1,"result":[1000]}\n');
    }
  });

  test("a second signal ends the wait: cancelled, maybe sent, exit code 4", async (t) => {
    const child = await started("silent", [], t);
    child.signal("SIGTERM");
    await child.until(() => /SIGTERM received/.test(child.stderr));
    await delay(600); // so that it is another wish
    assert.equal((await child.stop("SIGTERM")).code, 4, child.output());
    const document = JSON.parse(child.stderr.trim().split("\n").at(-1) ?? "");
    assert.deepEqual([document.code, document.sent], ["cancelled", "maybe"]);
    await upstream.until(() => upstream.last.closed !== undefined);
  });

  test("on Deno it needs only the upstream's permission; the error about a missing one omits the message", {
    skip: runtime !== "deno",
  }, async () => {
    const env = "--allow-env=SIDESOCKET_*,PORT,NO_COLOR,WS_NO_BUFFER_UTIL";
    const permissions = [`--allow-net=127.0.0.1:${upstream.port}`, env, "--allow-read=src"];
    const ran = await call(message("echo"), [], { denoPermissions: permissions });
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    const refused = await call(message("echo", ["secret"]), [], { denoPermissions: [env, "--allow-read=src"] });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, new RegExp(`--allow-net=127.0.0.1:${upstream.port} .* src/main.ts call … --upstream`));
    assert.doesNotMatch(refused.stderr, /secret/);
  });
});
