/** The preset ocpp in front of npm's `ocpp-rpc`, which checks each message by the schemas of OCPP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startCentral } from "./ocpp-central.ts";

/** On Deno, ocpp-rpc now and then loses the first frame after an upgrade: each time the greeting fails after 5 s. */
const TRIES_MS = 25_000;

const login = (password: string) => ({ authorization: `Basic ${btoa(`CP1:${password}`)}` });

function settings(port: number, version: string, password = "right"): object {
  return {
    url: `ws://127.0.0.1:${port}/CP1`,
    headers: login(password),
    protocol: { preset: "ocpp", version, vendor: "Sidesocket", model: "One" },
    reconnect: { from: "20ms", to: "100ms", refused: "1h" },
  };
}

const post = (product: Product, path: string, message: unknown) =>
  product.fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });

/** Waits for the upstream's call, and answers it. */
async function answerCall(product: Product, name: string, answer: (id: unknown) => unknown): Promise<unknown> {
  const page = await product.fetch(`/v1/upstreams/${name}/messages?after=earliest&wait=5s`);
  const { messages } = (await page.json()) as { messages: readonly { readonly data: readonly unknown[] }[] };
  const call = messages.at(-1)?.data;
  const sent = await post(product, `/v1/upstreams/${name}/send`, answer(call?.[1]));
  assert.equal(sent.status, 204, await sent.text());
  return call;
}

async function started(t: Cleanup, upstreams: (port: number) => object) {
  let central = await startCentral();
  t.after(() => central.stop());
  const product = await startProduct({ config: { upstreams: upstreams(central.port) }, t });
  const restart = async () => {
    await central.stop();
    central = await startCentral({ port: central.port });
  };
  return { product, central: () => central, restart };
}

test("a station registers, beats, calls and is called, in OCPP 1.6 and through a restart", async (t) => {
  const { product, central, restart } = await started(t, (port) => ({ default: settings(port, "1.6") }));
  await product.ready(TRIES_MS);
  const authorize = async (idTag: string) => {
    // Shorter than the wait for the next connection, which it would use up.
    const response = await post(product, "/v1/upstreams/default/request?timeout=1s", [
      2,
      "mine",
      "Authorize",
      { idTag },
    ]);
    return (await response.json()) as readonly unknown[];
  };
  assert.deepEqual(await authorize("me"), [3, "mine", { idTagInfo: { status: "Accepted" } }]);
  assert.deepEqual(await authorize("you"), [3, "mine", { idTagInfo: { status: "Invalid" } }]);

  const unfit = await product.request([2, null, "Authorize", { id: "me" }]);
  assert.equal(unfit.status, 200);
  const [kind, , code] = (await unfit.json()) as readonly unknown[];
  assert.equal(kind, 4, "the server's own schemas judge it");
  assert.match(String(code), /Violation|Formation/);

  const reset = central().station().call("Reset", { type: "Soft" });
  const call = await answerCall(product, "default", (id) => [3, id, { status: "Accepted" }]);
  assert.deepEqual((call as unknown[]).slice(2), ["Reset", { type: "Soft" }]);
  assert.deepEqual(await reset, { status: "Accepted" });

  await until(() => central().beats() > 0, { what: "a heartbeat at the interval of the registration" });
  await restart();
  await until(async () => (await authorize("me"))[0] === 3, { what: "the next connection", within: TRIES_MS });
});

test("a call is refused by CALLERROR both ways, in OCPP 2.0.1", async (t) => {
  const { product, central } = await started(t, (port) => ({ default: settings(port, "2.0.1") }));
  await product.ready(TRIES_MS);
  const transfer = await product.request([2, 7, "DataTransfer", { vendorId: "v" }]);
  assert.deepEqual(((await transfer.json()) as unknown[]).slice(0, 4), [4, 7, "InternalError", "out of order"]);

  const reset = central().station().call("Reset", { type: "Immediate" });
  const refused = assert.rejects(reset, { rpcErrorCode: "NotImplemented" });
  await answerCall(product, "default", (id) => [4, id, "NotImplemented", "not here", {}]);
  await refused;
});

test("a station with a wrong password is refused, and says so", async (t) => {
  const { product } = await started(t, (port) => ({ default: settings(port, "1.6", "wrong") }));
  await until(async () => (await product.state()).phase === "refused", { what: "the refusal" });
  const response = await product.request([2, null, "Heartbeat", {}]);
  assert.equal(response.headers.get("sidesocket-sent"), "no");
  assert.match(await response.text(), /401/);
});
