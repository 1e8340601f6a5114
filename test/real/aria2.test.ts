/** The preset aria2 in front of aria2, whose HTTP interface says the same. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startAria2 } from "./aria2.ts";
import { lacks } from "./programs.ts";

const SECRET = "the-canary-of-aria2";

test("calls carry the secret, a download's events are messages, and it all goes on after a restart", {
  skip: lacks("aria2c"),
}, async (t) => {
  const site = createServer((_request, response) => response.end("some bytes")).listen(0, "127.0.0.1");
  t.after(() => site.close());
  const aria2 = await startAria2({ t, secret: SECRET });
  const upstream = {
    url: aria2.url,
    protocol: { preset: "aria2", token: SECRET },
    reconnect: { from: "20ms", to: "100ms" },
  };
  const product = await startProduct({ config: { upstreams: { default: upstream } }, t });
  const rpc = async (method: string, params: readonly unknown[] = []) =>
    (await (await product.rpc({ jsonrpc: "2.0", id: 1, method, params })).json()) as { readonly result: unknown };

  const { result } = await rpc("aria2.getVersion");
  assert.deepEqual(result, await aria2.call("aria2.getVersion"));
  const address = `http://127.0.0.1:${(site.address() as AddressInfo).port}/file`;
  const { result: gid } = await rpc("aria2.addUri", [[address]]);
  const events = await until(
    async () => {
      const response = await product.fetch("/v1/upstreams/default/messages?after=earliest");
      const { messages } = (await response.json()) as { messages: readonly { readonly data: unknown }[] };
      return messages.length >= 2 && messages.map(({ data }) => data);
    },
    { what: "the events of the download" },
  );
  const event = (method: string) => ({ jsonrpc: "2.0", method, params: [{ gid }] });
  assert.deepEqual(events.slice(0, 2), [event("aria2.onDownloadStart"), event("aria2.onDownloadComplete")]);
  const { result: status } = await rpc("aria2.tellStatus", [gid, ["status", "totalLength"]]);
  assert.deepEqual(status, await aria2.call("aria2.tellStatus", gid, ["status", "totalLength"]));
  assert.deepEqual(status, { status: "complete", totalLength: "10" });

  await aria2.child.kill();
  await until(async () => (await product.state()).phase !== "ready", { what: "the end of the connection" });
  const again = await startAria2({ t, secret: SECRET, port: aria2.port });
  await product.ready();
  assert.deepEqual((await rpc("aria2.getSessionInfo")).result, await again.call("aria2.getSessionInfo"));
  assert.doesNotMatch(JSON.stringify(await product.state()) + product.child.output(), /canary/);
});
