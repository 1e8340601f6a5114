/** A user's protocol module: used if it works, harmless to the process if it does not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Config, type Product, StartFailed, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem, timed } from "./expect.ts";
import { written } from "./files.ts";

/** A protocol of lines: `id text` up, `id text` down. `deeds` is code that runs on the text. */
const protocolModule = (deeds: string): string => `
export default {
  name: "lines",
  accepts: "any",
  encode(message, id) {
    const text = String(message);
    const crash = text.startsWith("crash");
    ${deeds}
    return { frame: id + " " + text, expectsReply: true };
  },
  decode(frame) {
    const [id, ...words] = String(frame).split(" ");
    return { type: "reply", id: Number(id), render: () => words.join(" ") };
  },
};`;

async function speaking(t: Cleanup, module: string): Promise<Config> {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      if (!String(message).includes("silent")) connection.send(message);
    },
  });
  const protocol = await written(t, "lines.mjs", module);
  return { upstreams: { default: { url: upstream.url, protocol, reconnect: { from: "20ms", to: "100ms" } } } };
}

describe("a user's protocol module", () => {
  const text = (product: Product, body: string): Promise<Response> =>
    product.request(body, { headers: { "content-type": "text/plain" } });

  test("is used", async (t) => {
    const product = await startProduct({ config: await speaking(t, protocolModule("")), t });
    const replies = await Promise.all(["one", "two", "three"].map(async (word) => (await text(product, word)).text()));
    assert.deepEqual(replies, ["one", "two", "three"]);
    assert.equal((await product.state()).protocol, "lines");
  });

  test("that is unusable ends the start with code 2 and a reason", async (t) => {
    for (const [module, why] of [
      ["export default {};", /default.*name/],
      ["export default { name: 'x' };", /encode/],
      ["throw new Error('on purpose');", /on purpose/],
      ["export default {", /protocol/],
    ] as const) {
      const config = await speaking(t, module);
      await assert.rejects(startProduct({ config, t }), (error) => {
        assert.ok(error instanceof StartFailed);
        assert.equal(error.exit?.code, 2, error.message);
        assert.match(error.stderr, why);
        assert.equal(error.stdout, "");
        return true;
      });
    }
  });

  const crashes: ReadonlyMap<string, string> = new Map([
    ["ends its thread", "if (crash) process.exit(3);"],
    ["throws later", "if (crash) setTimeout(() => { throw new Error('later'); });"],
    ["rejects", "if (crash) Promise.reject(new Error('rejected'));"],
  ]);
  for (const [name, deed] of crashes) {
    test(`that ${name} fails pending requests as sidecar_crashed, and the thread restarts`, async (t) => {
      const product = await startProduct({ config: await speaking(t, protocolModule(deed)), t });
      await product.ready();
      const pending = text(product, "silent");
      await until(async () => (await product.state()).in_flight === 1);
      const [response, ms] = await timed(text(product, "crash silent"));
      const crashed = { status: 502, code: "sidecar_crashed", sent: "maybe" } as const;
      await problem(response, crashed);
      await problem(await pending, crashed);
      assert.ok(ms < 2_000, `${ms} ms`);
      await product.ready();
      assert.equal(await (await text(product, "again")).text(), "again");
      assert.equal((await product.stop()).code, 0);
      assert.doesNotMatch(product.stderr(), /unhandled/i);
    });
  }

  test("that keeps crashing keeps its upstream down for a while, and the process lives", async (t) => {
    const deed = "if (crash) process.exit(3);";
    const product = await startProduct({ config: await speaking(t, protocolModule(deed)), t });
    for (let crash = 0; crash < 5; crash += 1) {
      await product.ready();
      await (await text(product, "crash silent")).body?.cancel();
    }
    await until(async () => (await product.state()).phase === "refused");
    const down = {
      status: 503,
      code: "upstream_down",
      sent: "no",
      detail: /died 5 times.*the reason is in the log/,
    } as const;
    const refused = await text(product, "again");
    assert.ok(Number(refused.headers.get("retry-after")) > 30);
    await problem(refused, down);
    await problem(await product.fetch("/v1/upstreams/default/messages"), down);
    const { last_error, retry_in_ms } = await product.state();
    assert.match(String(last_error), /died 5 times/);
    assert.ok(Number(retry_in_ms) > 30_000);
    assert.equal((await product.fetch("/readyz")).status, 503);
    const { code } = await product.stop();
    assert.equal(code, 0, product.stderr());
  });

  test("that throws tells the log alone, with the place, and what it prints goes there, too", async (t) => {
    const deeds = `
      if (text === "print") { console.log("printed-" + "log"); process.stdout.write("printed-" + "raw\\n"); }
      if (text === "refuse") throw Object.assign(new Error("say something else"), { name: "InvalidMessage" });
      if (crash) throw new Error("thrown-on-purpose");`;
    const product = await startProduct({ config: await speaking(t, protocolModule(deeds)), t });
    await product.ready();
    const refusal = { status: 400, code: "invalid_request", sent: "no" } as const;
    await problem(await text(product, "refuse"), { ...refusal, detail: /^say something else$/ });
    await problem(await text(product, "crash"), { ...refusal, detail: /^the protocol's encode threw an exception, / });
    assert.equal(await (await text(product, "print")).text(), "print");
    await until(() => /printed-raw/.test(product.stderr()));
    for (const pattern of [/lines\.mjs.*printed-log/, /thrown-on-purpose.*lines\.mjs:\d+:\d+/])
      await product.said(pattern);
    assert.match(product.stdout(), /^listening on \S+\n$/);
  });

  test("that throws later tells the log alone: not the callers whose requests it ends, nor the state", async (t) => {
    const deed = "if (crash) setTimeout(() => { throw new Error('thrown-' + 'later'); });";
    const product = await startProduct({ config: await speaking(t, protocolModule(deed)), t });
    await product.ready();
    await problem(await text(product, "crash silent"), {
      status: 502,
      code: "sidecar_crashed",
      sent: "maybe",
      detail: /^the sidecar's thread died \(the reason is in the log\)$/,
    });
    assert.doesNotMatch(JSON.stringify(await product.state()), /thrown-later/);
    await product.said(/thrown-later.*lines\.mjs:\d+:\d+/);
  });

  test("that returns the same bytes again and again keeps them", async (t) => {
    const constant = protocolModule("")
      .replace("export default {", "const bytes = new Uint8Array(1 << 20).fill(65);\nexport default {")
      .replace('() => words.join(" ")', "() => bytes");
    const product = await startProduct({ config: await speaking(t, constant), t });
    for (let n = 0; n < 3; n++) assert.equal((await (await text(product, "again")).text()).length, 1 << 20);
    assert.doesNotMatch(product.stderr(), /died/);
  });

  test("that crashes its thread at every load ends the start with code 70 and a reason", async (t) => {
    const config = await speaking(t, `process.exit(3); ${protocolModule("")}`);
    await assert.rejects(startProduct({ config, t }), (error) => {
      assert.ok(error instanceof StartFailed);
      assert.equal(error.exit?.code, 70, error.message);
      assert.match(error.stderr, /died 5 times/);
      return true;
    });
  });
});
