/** Credentials that are resolved for each attempt: a renewed token needs no restart. */
import assert from "node:assert/strict";
import { rename, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { never } from "../faults/replies.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { problem } from "./expect.ts";
import { written } from "./files.ts";

const reconnect = { from: "20ms", to: "100ms", refused: "200ms" };
const call = { jsonrpc: "2.0", id: 1, method: "echo", params: [] };

test("a token file is read for each attempt: refused with the old token, connected with the new one", async (t) => {
  const file = await written(t, "token", "old-s3cret\n");
  let renewed = false;
  const upstream = await startFaultUpstream(() => (renewed ? {} : { handshake: { do: "refuse", status: 401 } }), { t });
  const headers = { authorization: `Bearer \${file:${file}}` };
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, headers, reconnect } } },
    t,
  });
  await until(async () => (await product.state()).phase === "refused");
  await problem(await product.request(call), { status: 503, code: "upstream_down", sent: "no", detail: /401/ });
  await writeFile(`${file}.new`, "new-s3cret\n");
  await rename(`${file}.new`, file);
  const tokens = () => upstream.peers.map((peer) => peer.request?.headers.get("authorization"));
  await upstream.until(() => tokens().at(-1) === "Bearer new-s3cret");
  renewed = true;
  await product.ready();
  assert.equal((await product.request(call)).status, 200);
  assert.deepEqual([tokens()[0], tokens().at(-1)], ["Bearer old-s3cret", "Bearer new-s3cret"]);
  assert.doesNotMatch(product.stderr(), /s3cret/);
});

/** A module that counts its calls and records which upstream they were for. */
const COUNTING = `
let calls = 0;
export default async ({ upstream, signal }) => {
  if (!(signal instanceof AbortSignal)) throw new Error("no signal");
  calls += 1;
  return { query: "n=" + calls + "&for=" + upstream, token: "s3cret-" + calls };
};
`;

test("a user's function supplies url and greeting for each attempt, until the login succeeds", async (t) => {
  const credentials = await written(t, "credentials.mjs", COUNTING);
  const upstream = await startFaultUpstream(
    {
      onMessage: (peer, frame) => {
        const { auth, id } = JSON.parse(frame.payload.toString("utf8"));
        if (id !== undefined) peer.json({ jsonrpc: "2.0", id, result: "in" });
        else peer.json({ type: auth === "s3cret-3" ? "welcome" : "go away" });
      },
    },
    { t },
  );
  const greeting = [
    { send: { auth: "${credentials:token}" } },
    { expect: { match: { "/type": "welcome" }, reject: { "/type": "go away" } } },
  ];
  const url = `${upstream.url}?\${credentials:query}`;
  const product = await startProduct({
    config: { upstreams: { default: { url, credentials, greeting, reconnect: { ...reconnect, refused: "1s" } } } },
    t,
  });
  await until(async () => (await product.state()).phase === "refused");
  await problem(await product.request(call), { status: 502, code: "login_refused", sent: "no" });
  await product.ready();
  assert.equal((await product.request(call)).status, 200);
  assert.deepEqual(
    upstream.peers.map((peer) => peer.request?.path),
    [1, 2, 3].map((n) => `/?n=${n}&for=default`),
  );
  assert.doesNotMatch(product.stderr() + JSON.stringify(await product.state()), /s3cret/);
});

const failing: [why: string, module: string, said: RegExp][] = [
  ["throws", `export default () => { throw new TypeError("s3cret"); };`, /credentials module failed \(TypeError\)/],
  ["gives nothing", "export default () => undefined;", /returned no object/],
  ["forgets one", `export default () => ({ other: "s3cret" });`, /returned no string named token/],
  ["returns a header of two lines", `export default () => ({ token: "s3cret\\r\\nX-Evil: 1" });`, /header x-token/],
  ["is no function", "export default 7;", /no function as its default export/],
  ["cannot be loaded", "export default (;", /cannot be loaded/],
  ["never answers", "export default () => new Promise(() => {});", /no connection within 300 ms \(connect_within\)/],
];

for (const [why, module, said] of failing) {
  test(`a credentials module that ${why} fails the attempt with its reason, and another attempt follows`, async (t) => {
    const upstream = await startFaultUpstream({ onMessage: never }, { t });
    const credentials = await written(t, "credentials.mjs", module);
    const headers = { "x-token": "${credentials:token}" };
    const settings = { url: upstream.url, credentials, headers, reconnect, connect_within: "300ms" };
    const product = await startProduct({ config: { upstreams: { default: settings } }, t });
    await until(async () => Number((await product.state()).attempts) >= 2);
    const state = await product.state();
    assert.match(String(state.last_error), said);
    assert.equal(upstream.peers.length, 0, "no peer ever connected");
    assert.doesNotMatch(product.stderr() + JSON.stringify(state), /s3cret/);
    const { code } = await product.stop();
    assert.equal(code, 0);
  });
}

test("a missing or empty file fails the attempt and is named", async (t) => {
  const file = await written(t, "token", "");
  const upstream = await startFaultUpstream({}, { t });
  const settings = { url: `${upstream.url}?key=\${file:${file}}`, reconnect };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await until(async () => String((await product.state()).last_error).includes(`${file} is empty`));
  await rename(file, `${file}.away`);
  await until(async () => /cannot be read \(.*ENOENT\)/.test(String((await product.state()).last_error)));
  await writeFile(file, "s3cret#somewhere-else");
  await until(async () =>
    /a resolved value is not allowed in the url/.test(String((await product.state()).last_error)),
  );
  await writeFile(file, "right");
  await product.ready();
  assert.equal(upstream.last.request?.path, "/?key=right");
});
