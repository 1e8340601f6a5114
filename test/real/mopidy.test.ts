/** The preset mopidy in front of Mopidy, whose HTTP interface says the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "../support/messages.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startMopidy } from "./mopidy.ts";
import { lacks } from "./programs.ts";

test("calls have the replies of Mopidy's HTTP, and its events are messages, through a restart", {
  skip: lacks("mopidy"),
}, async (t) => {
  const mopidy = await startMopidy(t);
  const upstream = { url: mopidy.url, protocol: "mopidy", reconnect: { from: "20ms", to: "100ms" } };
  const product = await startProduct({ config: { upstreams: { default: upstream } }, t });
  await product.ready();
  const rpc = async (method: string, params: readonly unknown[] = []) =>
    (await (await product.rpc({ jsonrpc: "2.0", id: "mine", method, params })).json()) as {
      readonly id: unknown;
      readonly result: unknown;
      readonly error?: { readonly code: number };
    };

  const version = await mopidy.call("core.get_version");
  assert.deepEqual(await rpc("core.get_version"), { jsonrpc: "2.0", id: "mine", result: version });
  const { result: created } = await rpc("core.playlists.create", ["mine"]);
  const { uri } = created as { readonly uri: string };
  assert.deepEqual(
    (await rpc("core.playlists.lookup", [uri])).result,
    await mopidy.call("core.playlists.lookup", [uri]),
  );
  assert.equal((await rpc("core.nothing")).error?.code, -32601);
  await rpc("core.mixer.set_volume", [40]);
  const events = async () => (await page(product, "?after=earliest&where=/event=volume_changed")).messages;
  const [changed] = await until(() => events().then((all) => all.length > 0 && all), { every: 10, what: "the event" });
  assert.deepEqual(changed?.data, { volume: 40, event: "volume_changed" });

  await mopidy.child.kill();
  await until(async () => (await product.state()).phase !== "ready", { what: "the end of the connection" });
  const again = await startMopidy(t, mopidy.port);
  await product.ready();
  assert.deepEqual((await rpc("core.mixer.get_volume")).result, await again.call("core.mixer.get_volume"));
});
