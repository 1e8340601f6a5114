/** The preset wamp in front of npm's `wamp-server`, a router that nobody here wrote. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startRouter } from "./wamp-router.ts";

const KINDS = { error: 8, subscribe: 32, event: 36, call: 48, result: 50, register: 64, invocation: 68, yield: 70 };

test("calls, events, publications and a procedure of one's own, through a restart of the router", async (t) => {
  const port = await freePort();
  let router = await startRouter(port);
  t.after(() => router.kill());
  const at = (more: object) => ({ url: `ws://127.0.0.1:${port}/`, reconnect: { from: "20ms", to: "100ms" }, ...more });
  const product = await startProduct({
    t,
    config: {
      upstreams: {
        default: at({
          protocol: "wamp",
          subscriptions: {
            ticks: {
              request: [KINDS.subscribe, null, {}, "org.example.ticks"],
              id: "/2",
              match: { "/0": KINDS.event, "/1": "$id" },
              unsubscribe: [34, null, "$id"],
            },
          },
        }),
        callee: at({ protocol: { preset: "wamp", realm: "realm1" } }),
        stranger: at({ protocol: { preset: "wamp", realm: "elsewhere" }, required: false }),
      },
    },
  });
  await product.ready();
  const isActive = async (activations: number) => {
    const response = await product.fetch("/v1/upstreams/default/subscriptions/ticks");
    return ((await response.json()) as { activations: number }).activations >= activations;
  };
  await until(() => isActive(1), { what: "the subscription" });

  const ask = async (upstream: string, message: unknown) => {
    const response = await product.post(`/v1/upstreams/${upstream}/request`, message);
    return [response.status, (await response.json()) as readonly unknown[]] as const;
  };
  const add = [KINDS.call, 7, {}, "org.example.add", [2, 3]];
  const [status, [kind, of, id]] = await ask("default", add);
  assert.deepEqual([status, kind, of, id], [200, KINDS.error, KINDS.call, 7], "nobody has registered it");

  const [, [registered]] = await ask("callee", [KINDS.register, null, {}, "org.example.add"]);
  assert.equal(registered, 65);
  const sum = ask("default", add);
  const page = await product.fetch("/v1/upstreams/callee/messages?after=earliest&wait=5s");
  const { messages } = (await page.json()) as { messages: readonly { readonly data: readonly unknown[] }[] };
  const [invocation = [], ...others] = messages.map(({ data }) => data);
  assert.deepEqual([invocation[0], invocation[4], others.length], [KINDS.invocation, [2, 3], 0]);
  await product.post("/v1/upstreams/callee/send", [KINDS.yield, invocation[1], {}, [5]]);
  assert.deepEqual(await sum, [200, [KINDS.result, 7, {}, [5]]]);

  const [, [published, mine]] = await ask("callee", [16, "p", { acknowledge: true }, "org.example.ticks", [1]]);
  assert.deepEqual([published, mine], [17, "p"]);
  const [unheard] = await ask("callee", [16, "p", {}, "org.example.ticks", [1]]);
  assert.equal(unheard, 400, "no reply would come");
  await product.post("/v1/upstreams/callee/send", [16, null, {}, "org.example.ticks", [2]]);
  const ticks = async () => {
    const response = await product.fetch("/v1/upstreams/default/subscriptions/ticks/messages?after=earliest");
    const { messages } = (await response.json()) as { messages: readonly { readonly data: readonly unknown[] }[] };
    return messages.map(({ data: [kind, topic, , , args] }) => [kind, topic, args]);
  };
  const wanted = [
    [KINDS.event, "ticks", [1]],
    [KINDS.event, "ticks", [2]],
  ];
  await until(async () => (await ticks()).length >= 2, { what: "both events" });
  assert.deepEqual(await ticks(), wanted);
  assert.match(JSON.stringify(await product.state("stranger")), /no_such_realm|ABORT|\[3,/);

  await router.kill();
  router = await startRouter(port);
  await until(() => isActive(2), { what: "the subscription on the next connection" });
  assert.equal((await ask("default", add))[0], 200);

  await product.ready();
  await product.stop();
  const goodbyes = await router.until(() => {
    const all = router.output().match(/^\[6,.*$/gm);
    return (all?.length ?? 0) >= 2 && all;
  });
  assert.deepEqual(goodbyes, new Array(2).fill('[6,{},"wamp.close.close_realm"]'), "of both that had joined");
  assert.equal(product.report().forced, false);
});
