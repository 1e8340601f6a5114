/** Tests of the secrets of an upstream's settings, and of texts that are masked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { excerptOf, maskSecrets, secretsOf } from "../../src/secrets/secrets.ts";

const secrets = secretsOf(
  upstreamSchema.parse({
    url: "wss://user:passw0rd@example.org/v2/0123456789abcdef-path?key=query-k%33y",
    headers: { authorization: "Bearer header-k3y" },
    subprotocols: ["v1", "bearer.0123456789abcdef"],
    greeting: [{ send: { type: "auth", access_token: "greeting-k3y" } }],
    protocol: { preset: "home-assistant", token: "preset-k3y" },
  }),
);

test("the secrets of URL, headers, subprotocols, greeting and preset are masked, and other words are not", () => {
  for (const secret of [
    ...["passw0rd", "0123456789abcdef-path", "query-k3y", "query-k%33y", "header-k3y"],
    ...["bearer.0123456789abcdef", "greeting-k3y", "preset-k3y"],
  ]) {
    const text = `auth: the ${secret} of example.org`;
    assert.equal(maskSecrets(text, secrets), "auth: the (redacted) of example.org", secret);
  }
});

test("what a greeting expects is shown, so that a refusal can be told from others", () => {
  const greeting = [
    { send: { type: "auth", access_token: "greeting-k3y" } },
    {
      expect: { match: { "/type": "auth_ok", "/session_token": "expected-k3y" } },
      reject: { match: { "/type": "auth_invalid" } },
    },
  ];
  const hidden = secretsOf(upstreamSchema.parse({ url: "wss://example.org", greeting }));
  const frame = '{"type":"auth_invalid","was":"greeting-k3y","session_token":"expected-k3y"}';
  assert.equal(maskSecrets(frame, hidden), '{"type":"auth_invalid","was":"(redacted)","session_token":"(redacted)"}');
});

test("an excerpt is one short line without secrets", () => {
  assert.equal(excerptOf("a\n  greeting-k3y\tb", secrets), "a (redacted) b");
  assert.equal(excerptOf("x".repeat(300), secrets), `${"x".repeat(200)}…`);
  assert.equal(excerptOf(undefined, secrets), "(bytes)");
});
