/** The container's health check, run with the permissions that the image gives it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { run } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { startProduct } from "../support/product.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";

const SCRIPT = join(root, "scripts", "healthy.mjs");
const DENO = ["run", "--no-prompt", "--allow-net=127.0.0.1", "--allow-env=PORT", SCRIPT];

async function check(port: string, env: Readonly<Record<string, string>> = {}): Promise<number | null> {
  const [command, args] = runtime === "deno" ? [denoPath(), DENO] : [nodePath(), [SCRIPT]];
  const { code } = await run({ command, args, env: { ...process.env, PORT: port, ...env } });
  return code;
}

test("the health check finds the service, whatever proxies the environment names", async (t) => {
  const product = await startProduct({ t });
  const { port } = new URL(product.url);
  const proxy = `http://127.0.0.1:${await freePort()}`;
  const proxies = { HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: "", no_proxy: "" };
  assert.equal(await check(port), 0);
  assert.equal(await check(port, proxies), 0);
  assert.equal(await check(port, { ...proxies, NODE_USE_ENV_PROXY: "1" }), 0);
  await product.stop();
  assert.equal(await check(port), 1);
});
