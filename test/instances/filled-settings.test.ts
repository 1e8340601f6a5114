/** The settings of an instance: values in their places, and nowhere else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { filledMessage, filledText } from "../../src/core/connection/captured-texts.ts";
import { SidesocketError } from "../../src/errors.ts";
import { filledSettings } from "../../src/instances/filled-settings.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { ATTEMPT, fillPlaceholders } from "../../src/secrets/placeholders.ts";
import { loadProtocol, withConfiguredRules } from "../../src/sidecar/thread/load-protocol.ts";

await preparePatterns({ text: "" });

const URL_START = "wss://example.org/rooms/";

const template = upstreamSchema.parse({
  url: `${URL_START}\${param:room}?as=\${param:who}&key=\${file:/run/key}`,
  params: { room: "a|b|[.].*", who: "(?s).*" },
  headers: { "x-who": "<${param:who}>" },
  greeting: [{ send: { type: "auth", token: "${param:credential}" } }],
  instances: { credential: "header Upstream-Authorization" },
});

const filled = (params: Readonly<Record<string, string>>, credential: string | undefined = "its-own") =>
  filledSettings(template, { params, credential });

const refusal = (params: Readonly<Record<string, string>>, credential?: string) =>
  filled(params, credential).then(
    () => undefined,
    (error: unknown) => (error instanceof SidesocketError ? error.message : String(error)),
  );

test("values are in their places, and the settings are those of an upstream like any other", async () => {
  const settings = await filled({ room: "a", who: "é & me" });
  assert.equal(settings.url, `${URL_START}a?as=${encodeURIComponent("é & me")}&key=\${file:/run/key}`);
  assert.deepEqual(settings.headers, { "x-who": "<é & me>" });
  assert.deepEqual(settings.greeting, [{ send: { type: "auth", token: "its-own" } }]);
  assert.deepEqual([settings.template, settings.params, settings.instances], [false, {}, null]);
});

test("captured values stay where they are, and a parameter beside one never becomes one", async () => {
  const url = `${URL_START}?resume=\${conn:session}`;
  const settings = upstreamSchema.parse({
    url,
    params: { who: ".*" },
    capture: [{ when: { has: ["/session"] }, values: { session: "/session" }, keep: true }],
    greeting: [{ send: { a: "${param:who}${conn:session}" } }, { send: "${param:who}", first: false }],
    add: { "/params/who": "${param:who}" },
    instances: {},
  });
  const { greeting, add, ...rest } = await filledSettings(settings, { params: { who: "${conn:session}" } });
  assert.equal(rest.url, url);
  assert.deepEqual(
    greeting.map(({ send }) => filledMessage(send, new Map([["session", '"s"']]))),
    ['{"a":"${conn:session}s"}', "${conn:session}"],
  );
  assert.equal(filledMessage(add, new Map()), '{"/params/who":"${conn:session}"}');
});

test("a value takes the meaning of no placeholder away, and is no group of an answer", async () => {
  const settings = upstreamSchema.parse({
    url: URL_START,
    params: { who: ".*" },
    headers: { "x-key": "${param:who}${file:/run/key}" },
    protocol: { preset: "text", answers: [{ when: "^(?<a>.)", send: "$a ${param:who}" }] },
    instances: {},
  });
  const { headers, protocol } = await filledSettings(settings, { params: { who: "$a$" } });
  assert.deepEqual(
    fillPlaceholders(headers, () => "s3cret", ATTEMPT),
    { "x-key": "$a$s3cret" },
  );
  const answering = withConfiguredRules(await loadProtocol(protocol), protocol);
  const answer = answering.decode("x");
  assert.ok(answer.type === "answer" && typeof answer.frame === "string");
  assert.equal(filledText(answer.frame, new Map()), "x $a$");
  // In an address it is encoded.
  const encoded = { ...settings, url: `${URL_START}?\${param:who}\${file:/run/key}`, headers: {} };
  assert.equal((await filledSettings(encoded, { params: { who: "$" } })).url, `${URL_START}?%24\${file:/run/key}`);
});

test("a credential that no setting has a place for is the header of the same name", async () => {
  const plain = upstreamSchema.parse({ url: URL_START, instances: { credential: "header Authorization" } });
  const { headers } = await filledSettings(plain, { params: {}, credential: "Bearer x" });
  assert.deepEqual(headers, { Authorization: "Bearer x" });
});

test("a value leaves neither its segment nor its parameter, and the host stays", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 20 }), async (who) => {
      const why = await refusal({ room: "a", who });
      if (why !== undefined) return assert.match(why, /control characters|header/);
      const url = new URL((await filled({ room: "a", who })).url);
      assert.deepEqual([url.host, url.pathname, url.searchParams.get("as")], ["example.org", "/rooms/a", who]);
      return undefined;
    }),
    { examples: [["#"], ["/../?x=&#"], ["$"], ["${file:/etc/passwd}"]] },
  );
});

test("what does not match as a whole, or leads to another folder, is refused without the value", async () => {
  const who = "";
  for (const room of ["ab", "a/", "xa", "c"])
    assert.match(String(await refusal({ room, who })), /params\.room must match/);
  for (const room of [".", ".."]) assert.match(String(await refusal({ room, who })), /\. or \.\./);
  assert.equal(await refusal({ room: "...", who }), undefined);
  assert.match(String(await refusal({ room: "a", who: "\u{1F600}" })), /header x-who/);
  assert.match(String(await refusal({ room: "a" })), /params\.who is missing/);
  assert.match(String(await refusal({ room: "a", who, toString: "" })), /unknown parameter "toString"/);
  assert.match(String(await refusal({ room: "a", who }, "a\nb")), /must be one line/);
  assert.match(String(await refusal({ room: "a", who }, "")), /is missing/);
});
