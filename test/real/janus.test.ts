/** The preset janus in front of Debian's Janus, with its video rooms. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "../support/messages.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startJanus } from "./janus.ts";
import { lacks } from "./programs.ts";

const SECRET = "the-canary-of-janus";

interface Reply {
  readonly janus: string;
  readonly transaction?: string;
  readonly data: { readonly id: number };
  readonly plugindata: { readonly data: Readonly<Record<string, unknown>> };
  readonly error?: { readonly code: number };
}

test("handles of one session, a reply behind its acknowledgement, and events, through a restart", {
  skip: lacks("janus"),
}, async (t) => {
  const janus = await startJanus({ t, secret: SECRET });
  const upstream = { url: janus.url, reconnect: { from: "20ms", to: "100ms" } };
  const product = await startProduct({
    t,
    config: {
      upstreams: {
        default: { ...upstream, protocol: { preset: "janus", password: SECRET } },
        stranger: { ...upstream, protocol: "janus", required: false },
      },
    },
  });
  await product.ready();
  const ask = async (message: object): Promise<Reply> => {
    const response = await product.request(message);
    assert.equal(response.status, 200, JSON.stringify(message));
    return (await response.json()) as Reply;
  };
  const attach = async () => (await ask({ janus: "attach", plugin: "janus.plugin.videoroom" })).data.id;
  const tell = (handle_id: number, body: object) => ask({ janus: "message", transaction: "mine", handle_id, body });

  const [one, other] = [await attach(), await attach()];
  const created = await tell(one, { request: "create", room: 7, notify_joining: true });
  assert.deepEqual([created.janus, created.transaction], ["success", "mine"]);
  assert.deepEqual(created.plugindata.data, { videoroom: "created", room: 7, permanent: false });
  const join = (display: string) => ({ request: "join", ptype: "publisher", room: 7, display });
  const joined = await tell(one, join("one"));
  assert.deepEqual([joined.janus, joined.transaction], ["event", "mine"], "not the acknowledgement");
  assert.equal(joined.plugindata.data.videoroom, "joined");
  await tell(other, join("other"));
  const events = async () => {
    const { messages } = await page(product, "?after=earliest&where=/janus=event");
    return messages.map(({ data }) => (data as Reply).plugindata.data);
  };
  const [event] = await until(() => events().then((all) => all.length > 0 && all), { every: 10, what: "the event" });
  assert.ok(event);
  assert.equal((event.joining as { readonly display: string }).display, "other");

  const refused = await ask({ janus: "attach", plugin: "janus.plugin.nothing" });
  assert.deepEqual([refused.janus, refused.error?.code], ["error", 460]);
  for (const kind of ["create", "destroy", "trickle"]) {
    assert.equal((await product.request({ janus: kind })).status, 400, kind);
  }
  const trickle = { janus: "trickle", handle_id: one, candidate: { completed: true } };
  assert.equal((await product.post("/v1/upstreams/default/send", trickle)).status, 204);
  assert.match(JSON.stringify(await product.state("stranger")), /Unauthorized request/);

  await janus.child.kill();
  await until(async () => (await product.state()).phase !== "ready", { what: "the end of the connection" });
  await startJanus({ t, secret: SECRET, port: janus.port });
  await product.ready();
  const list = await tell(await attach(), { request: "list" });
  assert.deepEqual(list.plugindata.data, { videoroom: "success", list: [] });
  assert.doesNotMatch(JSON.stringify(await product.state()) + product.child.output(), /canary/);
});
