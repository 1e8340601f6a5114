/** The container's health check, run with the permissions that the image gives it. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import * as certificates from "../faults/certificates.ts";
import { run } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { startProduct } from "../support/product.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";

const SCRIPT = join(root, "scripts", "healthy.mjs");
const DENO = ["run", "--no-prompt", "--allow-net=127.0.0.1", "--allow-env=PORT,SIDESOCKET_LISTEN_PATH", SCRIPT];

async function check(port: string, env: Readonly<Record<string, string>> = {}, path?: string): Promise<number | null> {
  const [command, args] = runtime === "deno" ? [denoPath(), DENO] : [nodePath(), [SCRIPT]];
  const given = path === undefined ? args : [...args, path];
  const { code } = await run({ command, args: given, env: { ...process.env, PORT: port, ...env } });
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

test("it finds a service that has TLS, whoever its certificate is for", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-healthy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { cert, key } = certificates.wrongHost;
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key, { mode: 0o600 });
  await writeFile(join(folder, "tls.yaml"), "listen: { tls: { cert: cert.pem, key: key.pem } }");
  const product = await startProduct({ args: ["--config", join(folder, "tls.yaml")], t });
  const { port } = new URL(product.url);
  assert.equal(await check(port), 0);
  assert.equal(await check(port, {}, "/nowhere"), 1);
});

test("it finds a service on its socket", {
  skip: runtime === "deno" && "the image for Deno has no right to one",
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-healthy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "api.sock");
  await startProduct({ args: ["--listen-path", path], t });
  assert.equal(await check("", { SIDESOCKET_LISTEN_PATH: path }), 0);
  assert.equal(await check("", { SIDESOCKET_LISTEN_PATH: `${path}2` }), 1);
});
