/** `sidesocket status` as a real process: the state of a running service. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { type Product, runProduct, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const env = { SIDESOCKET_TOKEN: "a-token-that-is-long-enough-for-the-status" };

describe("sidesocket status", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream();
    product = await startProduct({
      config: { upstreams: { prices: { url: upstream.url }, spare: { url: "ws://127.0.0.1:1", required: false } } },
      args: ["--port", String(await freePort())],
      env,
    });
    await product.ready();
    upstream.last.send('{"jsonrpc":"2.0","method":"tick"}');
    await until(async () => (await product.fetch("/v1/upstreams/prices", authorized)).ok);
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });
  const authorized = { headers: { authorization: `Bearer ${env.SIDESOCKET_TOKEN}` } };
  const status = (...args: string[]) => runProduct(["status", ...args], { env });

  test("a ready service is exit code 0, and a row for each upstream", async () => {
    const ran = await status("--service", product.url);
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    const [first, blank, head, ...rows] = ran.stdout.split("\n");
    assert.deepEqual([first, blank, rows.length], ["ready", "", 3]);
    assert.match(String(head), /^UPSTREAM +PHASE +SINCE +IN FLIGHT +KEPT +LAST ERROR$/);
    assert.match(String(rows[0]), /^prices +ready +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ +0 +1 +-$/);
    assert.match(String(rows[1]), /^spare +\w+ +\S+Z +0 +\d+ +\S.*ECONNREFUSED/);
  });

  test("without an address it asks the service of this configuration; --json prints the state as it is", async () => {
    const ran = await status("--port", String(product.port), "--json");
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    const names = JSON.parse(ran.stdout).upstreams.map(({ name }: { readonly name: string }) => name);
    assert.deepEqual(names, ["prices", "spare"]);
  });

  test("a wrong token is exit code 2, an address where no service is 3", async () => {
    const refused = await runProduct(["status", "--service", product.url]);
    assert.deepEqual([refused.code, refused.stdout], [2, ""]);
    assert.equal(JSON.parse(refused.stderr).code, "unauthorized");
    const other = await status("--service", upstream.url.replace("ws:", "http:"));
    assert.deepEqual([other.code, other.stdout], [3, ""]);
    const nobody = await status("--service", `http://127.0.0.1:${await freePort()}`);
    assert.deepEqual([nobody.code, nobody.stdout], [3, ""]);
    for (const { stderr } of [other, nobody]) assert.equal(JSON.parse(stderr).code, "service_lost");
    const unknown = await status("--port", "0");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /give its address by --service/);
  });

  test("a service whose upstream is away is exit code 1, with the reason", async () => {
    await upstream.stop();
    await until(async () => (await product.fetch("/readyz")).status === 503);
    const ran = await status("--service", product.url);
    assert.deepEqual([ran.code, ran.stderr], [1, ""]);
    assert.match(ran.stdout, /^not ready\n\n.*\nprices +\w+ +.*(closed|ECONNREFUSED|1006)/);
  });
});
