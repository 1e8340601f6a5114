/** `sidesocket listen` as a real process: messages of a service and of an upstream as lines. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { type Product, productCommand, runProduct, startProduct } from "../support/product.ts";
import { root, runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const TOKEN = "a-token-that-is-long-enough-for-the-listener";

interface Line {
  readonly cursor: string;
  readonly data?: { readonly params: { readonly n: number } };
  readonly gap?: { readonly reason: string; readonly after: string | null; readonly dropped: number | null };
}

const tick = (n: number, kind = "tick") => JSON.stringify({ jsonrpc: "2.0", method: kind, params: { n } });
const linesOf = (text: string): Line[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const numbersOf = (text: string) => linesOf(text).map(({ data, gap }) => data?.params.n ?? gap?.reason);

describe("sidesocket listen", () => {
  let upstream: Upstream;
  let product: Product;
  let folder = "";
  before(async () => {
    upstream = await startUpstream();
    product = await startProduct({ upstream, env: { SIDESOCKET_TOKEN: TOKEN } });
    folder = await mkdtemp(join(tmpdir(), "sidesocket-listen-"));
    await upstream.until(() => upstream.connections.length > 0);
    for (const n of [1, 2, 3, 4]) upstream.last.send(tick(n, n === 3 ? "other" : "tick"));
    upstream.last.send("no JSON\u2028");
    upstream.last.send(new Uint8Array([0, 255]));
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const env = { SIDESOCKET_TOKEN: TOKEN };
  const listen = (...args: string[]) => runProduct(["listen", "--service", product.url, ...args], { env });
  const permissions = ["--allow-net", "--allow-env", "--allow-read", "--allow-write", "--allow-sys"];
  const start = async (args: readonly string[], t: Cleanup) => {
    const command = productCommand(["listen", ...args], { denoPermissions: permissions });
    return await Child.start({ ...command, cwd: root, env: { ...process.env, ...env, NO_COLOR: "1" }, t });
  };
  const written = (...args: string[]) =>
    runProduct(["listen", "--service", product.url, ...args], { env, denoPermissions: permissions });

  test("the lines of a service are those of its API, and the end after so many is in order", async () => {
    const ran = await listen("--limit", "6");
    assert.deepEqual([ran.code, ran.stderr.replace(/.*SIDESOCKET_TOKEN: other processes.*\n/, "")], [0, ""]);
    const headers = { accept: "application/x-ndjson", authorization: `Bearer ${TOKEN}` };
    const response = await product.fetch("/v1/upstreams/default/messages?poll=1", { headers });
    assert.equal(ran.stdout, await response.text());
  });

  test("--where selects by values, --after begins after a message", async () => {
    const ticks = await listen("--where", "/method=tick", "--limit", "3");
    assert.deepEqual(numbersOf(ticks.stdout), [1, 2, 4]);
    const second = linesOf(ticks.stdout)[1]?.cursor ?? "";
    assert.deepEqual(numbersOf((await listen("--after", second, "--limit", "2")).stdout), [3, 4]);
  });

  test("a cursor in a file continues where the lines ended", async () => {
    const file = join(folder, "cursor");
    assert.deepEqual(numbersOf((await written("--cursor", file, "--limit", "1")).stdout), [1]);
    const next = await written("--cursor", file, "--limit", "2");
    assert.deepEqual(numbersOf(next.stdout), [2, 3], next.stderr);
    assert.equal(await readFile(file, "utf8"), `${linesOf(next.stdout)[1]?.cursor}\n`);
  });

  test("a file that holds no cursor, or cannot be written, is exit code 2", async () => {
    const file = join(folder, "other");
    await writeFile(file, "notes of mine\n");
    for (const [path, said] of [
      [file, /--cursor: .*other holds no cursor/],
      [join(folder, "none", "cursor"), /--cursor: .* cannot be written \(.*ENOENT/],
    ] as const) {
      const ran = await written("--cursor", path);
      assert.deepEqual([ran.code, ran.stdout], [2, ""]);
      assert.match(ran.stderr, said);
    }
    assert.equal(await readFile(file, "utf8"), "notes of mine\n");
  });

  test("a reader that leaves ends it in order", async (t) => {
    const child = await start(["--service", product.url], t);
    await child.until(() => child.stdout.includes("\n"));
    child.pipes.stdout?.destroy();
    const sending = setInterval(() => upstream.last.send(tick(5)), 20);
    const { code } = await child.ended(10_000).finally(() => clearInterval(sending));
    assert.equal(code, 0, child.output());
    assert.doesNotMatch(child.stderr, /EPIPE|BrokenPipe|\bat /);
  });

  const usages: readonly (readonly [args: readonly string[], code: number, said: RegExp])[] = [
    [[], 2, /listen needs a running service/],
    [["--service", "ws://127.0.0.1:1"], 2, /--service must be the http/],
    [["--upstream", "ws://127.0.0.1:1", "--subscription", "x"], 2, /--subscription: unknown subscription/],
    [["--service", "http://127.0.0.1:1"], 3, /"code":"service_lost","sent":"no"/],
  ];
  for (const [args, code, said] of usages) {
    test(`listen ${args.join(" ")} is exit code ${code}`, async () => {
      const ran = await runProduct(["listen", ...args]);
      assert.deepEqual([ran.code, ran.stdout], [code, ""], ran.stderr);
      assert.match(ran.stderr, said);
    });
  }

  test("a wrong token and an unknown upstream are exit code 2, with the problem", async () => {
    const none = await runProduct(["listen", "--service", product.url]);
    assert.deepEqual([none.code, none.stdout], [2, ""]);
    assert.match(none.stderr, /"code":"unauthorized"/);
    const unknown = await listen("--to", "nobody");
    assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
    assert.match(unknown.stderr, /"code":"not_found"/);
  });

  test("without a service it connects by itself, goes on after an outage with a gap, and ends on a signal", async (t) => {
    const peer = await startUpstream({ t, onConnection: (connection) => connection.send(tick(connection.number)) });
    const file = join(folder, "own");
    const child = await start(["--upstream", peer.url, "--cursor", file], t);
    await child.until(() => linesOf(child.stdout).length === 1);
    await peer.stop();
    await peer.restart();
    await child.until(() => linesOf(child.stdout).length === 3, { within: 15_000 });
    assert.deepEqual(numbersOf(child.stdout), [1, "away", 2]);
    assert.equal((await child.stop("SIGTERM")).code, 0, child.output());
    assert.equal(await readFile(file, "utf8"), `${linesOf(child.stdout)[2]?.cursor}\n`);
    await peer.until(() => peer.last.closed?.code === 1001);
    const again = await start(["--upstream", peer.url, "--cursor", file], t);
    await again.until(() => linesOf(again.stdout).length === 2);
    assert.deepEqual(numbersOf(again.stdout), ["expired", 3]);
    assert.equal((await again.stop("SIGINT")).code, 0, again.output());
  });

  test("a service that crashes is tried until it is back, and the gap says so", async (t) => {
    const args = ["--port", String(await freePort())];
    const first = await startProduct({ upstream, args, t });
    await first.ready();
    upstream.last.send(tick(10));
    const child = await start(["--service", first.url], t);
    await child.until(() => linesOf(child.stdout).length === 1);
    await first.kill();
    await child.until(() => /the service is lost/.test(child.stderr));
    const second = await startProduct({ upstream, args, t });
    await second.ready();
    upstream.last.send(tick(11));
    await child.until(() => linesOf(child.stdout).length === 3);
    assert.deepEqual(numbersOf(child.stdout), [10, "expired", 11]);
    assert.match(child.stderr, /the service is back/);
    await second.stop("SIGTERM");
    assert.equal((await child.ended(5_000)).code, 3, child.output());
    assert.match(child.stderr, /"code":"shutting_down"/);
  });

  test("on Deno, a missing permission to write the cursor is refused with the command that works", {
    skip: runtime !== "deno",
  }, async () => {
    const ran = await listen("--cursor", join(folder, "denied"));
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /--allow-write=\S+denied,\S+denied\.next/);
  });
});
