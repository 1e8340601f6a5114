/** JSON without ids, and messages that nothing answers, over HTTP. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { startUpstream } from "../support/upstream.ts";

test("without ids each of many callers gets its own reply, while what nothing answers passes by", async (t) => {
  const upstream = await startUpstream({
    onMessage: (message, connection) => {
      const { speak, audio } = JSON.parse(String(message));
      if (audio !== undefined) connection.send({ heard: audio });
      if (speak === undefined) return;
      if (speak === "slow") return;
      for (const letter of speak) connection.send({ letter });
      connection.send({ done: speak });
    },
    t,
  });
  const protocol = {
    preset: "json",
    correlation: "order",
    reply: { lacks: ["/heard"] },
    final: [{ has: ["/done"] }],
    collect: {},
    sends: [{ has: ["/audio"] }],
  };
  const config = { upstreams: { default: { url: upstream.url, protocol } } };
  const product = await startProduct({ config, t });
  const path = "/v1/upstreams/default";

  const words = Array.from({ length: 10 }, (_, n) => `w${n}`);
  const replies = words.map(async (speak) => (await product.request({ speak })).json());
  const frames = (word: string) => [{ letter: word[0] }, { letter: word[1] }, { done: word }];
  assert.deepEqual(await Promise.all(replies), words.map(frames));

  const slow = product.request({ speak: "slow" });
  await upstream.until(() => upstream.texts.includes('{"speak":"slow"}'));
  const waiting = product.request({ speak: "ab" });
  for (const { status } of [
    await product.post(`${path}/send`, { audio: 1 }),
    await product.request({ audio: 2 }),
    await product.post(`${path}/send?answered=no`, { note: 3 }),
  ])
    assert.equal(status, 204);
  await upstream.until(() => upstream.texts.at(-1) === '{"note":3}');
  assert.deepEqual(upstream.texts.slice(-4), ['{"speak":"slow"}', '{"audio":1}', '{"audio":2}', '{"note":3}']);
  upstream.connections[0]?.send({ done: "slow" });
  assert.deepEqual(await (await slow).json(), [{ done: "slow" }]);
  assert.deepEqual(await (await waiting).json(), frames("ab"));

  const page = (await (await product.fetch(`${path}/messages?after=earliest`)).json()) as {
    messages: { data: unknown }[];
  };
  assert.deepEqual(
    page.messages.map(({ data }) => data),
    [{ heard: 1 }, { heard: 2 }],
  );
  const refused = await product.post(`${path}/send?answered=yes`, {});
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /answered must be no/);
});
