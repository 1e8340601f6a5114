/** Tests of texts from which the secrets of an upstream's settings are taken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../../src/config/schema.ts";
import { withoutSecrets } from "../../../src/sidecar/thread/hide-secrets.ts";

test("the values of URL, headers, greeting and preset are hidden, and other words are not", () => {
  const settings = upstreamSchema.parse({
    url: "wss://user:passw0rd@example.org/v2/path-k3y?key=query-k%33y",
    headers: { authorization: "Bearer header-k3y" },
    greeting: [{ send: { type: "auth", access_token: "greeting-k3y" } }],
    protocol: { preset: "home-assistant", token: "preset-k3y" },
  });
  for (const secret of ["passw0rd", "path-k3y", "query-k3y", "header-k3y", "greeting-k3y", "preset-k3y"]) {
    assert.equal(
      withoutSecrets(`auth: the ${secret} of example.org`, settings),
      "auth: the *** of example.org",
      secret,
    );
  }
});
