/** The settings of a connection attempt: the texts that are resolved, and the texts that need no resolving. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../../src/config/upstream-settings.ts";
import { settingsResolver } from "../../../src/sidecar/thread/resolve-placeholders.ts";

const { signal } = new AbortController();

test("settings without placeholders are used as they are", () => {
  const settings = upstreamSchema.parse({ url: "wss://example.org", headers: { "x-price": "$${PRICE} ${x}" } });
  assert.equal(settingsResolver("default", settings), undefined);
});

test("an escaped placeholder loses its escape, even where nothing else is to be resolved", async () => {
  const settings = upstreamSchema.parse({
    url: "wss://example.org",
    headers: { "x-template": "$${file:/run/token}" },
    greeting: [{ send: { text: "$${credentials:token} $${NAME}" } }],
  });
  const resolved = await settingsResolver("default", settings)?.(signal, { values: new Map(), named: undefined });
  assert.equal(resolved?.settings.headers["x-template"], "${file:/run/token}");
  assert.deepEqual(resolved?.settings.greeting, [{ send: { text: "${credentials:token} $${NAME}" } }]);
});
