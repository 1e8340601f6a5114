/** Fewer descriptors than configured connections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

const few = ["sh", "-c", 'ulimit -n 200; exec "$@"', "sh"];

/** Opens more connections than there are descriptors for, and holds them until the test destroys them. */
async function crowd(product: { readonly url: string }, t: Cleanup): Promise<RawConnection[]> {
  const open = () => RawConnection.open(product, t).catch(() => undefined);
  const opened = await Promise.all(Array.from({ length: 250 }, open));
  return opened.filter((connection) => connection !== undefined);
}

test("listen.connections is lowered to what the system allows, with a warning", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t, wrapper: few, denoPermissions: ["--allow-all"] });
  await product.ready();
  await product.said(/listen\.connections is \d+ instead of 20000: the limit of descriptors is 200/);
  for (const connection of await crowd(product, t)) connection.destroy();
  const response = await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: [] });
  assert.equal(response.status, 200);
  assert.equal((await product.stop()).code, 0);
});

const onNode = runtime === "node" && "Node accepts again";
test("a listener that accepts no more ends the service in order, and says why", { skip: onNode }, async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t, wrapper: few });
  await product.ready();
  await crowd(product, t);
  const { code } = await product.ended(40_000);
  assert.equal(code, 70);
  await product.said(/giving up: the listener accepts no connections any more/);
});
