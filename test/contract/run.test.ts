/** `sidesocket run` as a real process: a script that blocks, and signals that are answered meanwhile. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Child } from "../support/child.ts";
import { productCommand, runProduct } from "../support/product.ts";
import { root, runtime } from "../support/root.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const library = pathToFileURL(join(root, runtime === "deno" ? "src/sync.ts" : "dist/sync.js")).href;
const HEAD = `
import { upstream } from ${JSON.stringify(library)};
const echo = (word) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "echo", params: [word] });
`;

describe("sidesocket run", () => {
  let peer: Upstream;
  let folder = "";
  before(async () => {
    peer = await startUpstream({});
    folder = await mkdtemp(join(tmpdir(), "sidesocket-run-"));
  });
  after(async () => {
    await peer?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const script = async (text: string): Promise<string> => {
    const file = join(folder, `${Math.random()}.mjs`);
    await writeFile(file, HEAD + text);
    return file;
  };
  const args = (file: string, ...more: string[]) => ["run", "--upstream", peer.url, file, ...more];

  test("runs a script that blocks, with its arguments, and leaves the upstream with a close frame", async () => {
    const file = await script(`
      const one = upstream();
      console.log(one === upstream("default"), one.requestSync(echo(process.argv[2]), { as: "json" }).result[0]);
    `);
    const ran = await runProduct(args(file, "--", "--flag"));
    assert.deepEqual([ran.code, ran.stdout], [0, "true --flag\n"], ran.stderr);
    await peer.until(() => peer.last.closed?.code === 1001);
  });

  test("the exit code is the script's; an uncaught error is 1, with its stack", async () => {
    const ended = await runProduct(args(await script("upstream().requestSync(echo(1)); process.exit(7);")));
    assert.equal(ended.code, 7, ended.stderr);
    const threw = await runProduct(args(await script('upstream("nobody");')));
    assert.equal(threw.code, 1, threw.stderr);
    assert.match(threw.stderr, /unknown upstream "nobody" \(configured: default\)/);
  });

  test("a signal wakes a script that is blocked, which gets an error and ends by itself", async (t) => {
    const file = await script(`
      try {
        upstream().requestSync('{"jsonrpc":"2.0","id":1,"method":"silent"}', { timeoutMs: 60_000 });
      } catch ({ code, sent }) {
        console.log(code, sent);
        process.exit(3);
      }
    `);
    const child = await Child.start({ ...productCommand(args(file)), t, cwd: root });
    await peer.until(() => peer.texts.some((text) => text.includes('"silent"')));
    child.signal("SIGTERM");
    const { code } = await child.ended(15_000);
    assert.deepEqual([code, child.stdout], [3, "cancelled maybe\n"], child.stderr);
    assert.equal(peer.last.closed?.code, 1001);
  });

  test("a script that never ends is cut after the exit, with code 1", async (t) => {
    const file = await script('upstream().requestSync(echo("turning")); for (;;);');
    const child = await Child.start({ ...productCommand(args(file)), t, cwd: root });
    await peer.until(() => peer.texts.some((text) => text.includes("turning")));
    child.signal("SIGTERM");
    assert.equal((await child.ended(15_000)).code, 1);
  });

  test("a missing script is refused by name, and needs one", async () => {
    const none = await runProduct(["run", "--upstream", peer.url]);
    assert.deepEqual([none.code, none.stderr.includes("run takes a script")], [2, true]);
    const missing = await runProduct(args(join(folder, "nowhere.mjs")));
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /nowhere\.mjs/);
  });
});
