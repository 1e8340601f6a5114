/** Secrets that a configuration has written out: the places that are hidden, and those that stay readable. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { configJsonSchema, type JsonSchema } from "../../src/config/json-schema.ts";
import { withoutSecrets } from "../../src/config/written-secrets.ts";

/** A place of the schema, and the configuration that has a value there. */
interface Spot {
  readonly at: readonly string[];
  readonly holding: (leaf: unknown) => unknown;
}

const WORD = "canary";
const KEY = "canary0123456789canary";
const NUMBER = 7_654_321;

const { $defs = {}, ...schema } = configJsonSchema() as JsonSchema;

/** Every place of the schema that takes a text or a number; a part that has itself inside is entered once. */
function* spots(node: JsonSchema | boolean, entered: readonly string[] = []): Generator<Spot> {
  if (typeof node !== "object") return;
  const { $ref, anyOf = [], oneOf = [], properties, additionalProperties, items } = node;
  if ($ref !== undefined) {
    const part = $defs[$ref.replace("#/$defs/", "")];
    if (part !== undefined && !entered.includes($ref)) yield* spots(part, [...entered, $ref]);
    return;
  }
  for (const form of [...anyOf, ...oneOf]) yield* spots(form, entered);
  const isJson = !["type", "anyOf", "oneOf", "const", "enum", "pattern"].some((key) => key in node);
  if (isJson) {
    yield { at: ["**"], holding: (leaf) => leaf };
    yield { at: ["**"], holding: (leaf) => ({ inside: [leaf] }) };
  }
  if ([node.type].flat().some((type) => type === "string" || type === "number" || type === "integer"))
    yield { at: [], holding: (leaf) => leaf };
  const fixed = Object.entries(properties ?? {}).flatMap(([key, each]) =>
    typeof each === "object" && each.const !== undefined ? [[key, each.const]] : [],
  );
  const base = Object.fromEntries(fixed);
  const inside = (key: string, at: string, each: JsonSchema | boolean) =>
    [...spots(each, entered)].map((spot) => ({
      at: [at, ...spot.at],
      holding: (leaf: unknown) => ({ ...base, [key]: spot.holding(leaf) }),
    }));
  for (const [key, each] of Object.entries(properties ?? {})) yield* inside(key, key, each);
  if (typeof additionalProperties === "object") yield* inside("any", "*", additionalProperties);
  if (typeof items === "object" && !Array.isArray(items)) {
    for (const spot of spots(items as JsonSchema, entered))
      yield { at: ["*", ...spot.at], holding: (leaf) => [spot.holding(leaf)] };
  }
}

const all = [...spots(schema)];

/** The places at which a value is shown in at least one configuration. */
function showing(leaf: string | number): Set<string> {
  const shown = all.filter(({ holding }) => {
    const { value } = withoutSecrets(holding(leaf) as Record<string, unknown>, []);
    return JSON.stringify(value).includes(String(leaf));
  });
  return new Set(shown.map(({ at }) => at.join(".")));
}

const shown = { key: showing(KEY), word: showing(WORD), number: showing(NUMBER) };

/** Places of what comes in, and of ids: only the look or the name of a key makes a text secret there. */
const CONDITION =
  /\.(?:expect|reject|when|on|where|reply|skip|final|ignore|sends|id|match|has|lacks|text|any|all|not|agreed|refused|ended)(?:\.|$)/;

test("every text is hidden but at these places, so that a new setting is hidden until it is known", () => {
  assert.ok(all.length > 500, `only ${all.length} places`);
  assert.deepEqual([...shown.key].sort(), [
    "cluster.ca_file",
    "cluster.credentials_file",
    "cluster.name",
    "listen.cors.allow_headers.*",
    "listen.host",
    "listen.hosts.*",
    "listen.metrics.host",
    "listen.mode",
    "listen.origins.*",
    "listen.path",
    "listen.tls.ca",
    "listen.tls.cert",
    "listen.tls.key",
    "upstreams.*.ca",
    "upstreams.*.capture.*.values.*",
    "upstreams.*.credentials",
    "upstreams.*.failover.*",
    "upstreams.*.instances.credential",
    "upstreams.*.params.*",
    "upstreams.*.protocol",
    "upstreams.*.protocol.answers.*.copy.*",
    "upstreams.*.protocol.frames.split",
    "upstreams.*.protocol.intents",
    "upstreams.*.protocol.modality",
    "upstreams.*.protocol.model",
    "upstreams.*.protocol.schema",
    "upstreams.*.protocol.version",
    "upstreams.*.protocol.voice",
    "upstreams.*.proxy.except.*",
    "upstreams.*.reconnect.to_address.at",
    "upstreams.*.reconnect.to_address.hosts.*",
    "upstreams.*.redirects.*",
    "upstreams.*.subscriptions.*.id",
    "upstreams.*.tls.ca",
    "upstreams.*.tls.cert",
    "upstreams.*.tls.key",
    "upstreams.*.tls.pfx",
    "upstreams.*.tls.servername",
    "upstreams.*.webhooks.*.proxy.except.*",
    "upstreams.*.webhooks.*.subscription",
  ]);
  const words = [...shown.word].filter((place) => !shown.key.has(place));
  assert.ok(words.includes("upstreams.*.greeting.*.expect.match.*"), words.join());
  assert.deepEqual(
    words.filter((place) => !CONDITION.test(place)),
    [],
  );
});

test("a long number is hidden where any number may stand, and a bounded setting is not", () => {
  const numbers = [...shown.number].filter((place) => !shown.word.has(place));
  for (const place of ["listen.port", "upstreams.*.limits.in_flight", "upstreams.*.close_code", "replies.count"])
    assert.ok(numbers.includes(place), `${place} in ${numbers}`);
  assert.deepEqual(
    numbers.filter((place) => /send|payload|add|request|param|cancel|header|\*\*/.test(place)),
    [],
  );
});

/** The settings of an upstream without their secrets. */
function hidden(settings: object): unknown {
  const { value } = withoutSecrets({ upstreams: { a: settings } }, []);
  const { a } = value["upstreams"] as { readonly a: unknown };
  return JSON.parse(JSON.stringify(a).replaceAll(/\$\{UPSTREAMS_A_\w+\}/g, "…"));
}

test("what is around a secret stays readable", () => {
  const cases: readonly (readonly [object, object])[] = [
    [{ url: "wss://h/v1?abcdef0123" }, { url: "wss://h/v1?…" }],
    [{ url: "wss://h/v1?TOKEN=" }, { url: "wss://h/v1?…" }],
    [{ url: "wss://h/v1?abcdef0123456789=1&room=${R}" }, { url: "wss://h/v1?…&room=${R}" }],
    [{ url: "wss://h/?SECRET${X}=1" }, { url: "wss://h/?…${X}=…" }],
    [{ url: "wss://h/?k=SEC${X}RET" }, { url: "wss://h/?k=…${X}…" }],
    [{ url: "wss://user:p@ss@host/x@y" }, { url: "wss://…:…@host/x@y" }],
    [{ url: "wss:///user:pass@host" }, { url: "wss:///…:…@host" }],
    [{ url: " wss://user:pass@host" }, { url: "…" }],
    [{ url: "wss://h/a/abcdef0123456789${X}" }, { url: "wss://h/a/…${X}" }],
    [{ url: "${URL}" }, { url: "${URL}" }],
    [{ proxy: "http://us/er:p@s?s@proxy:3128" }, { proxy: "http://…:…@proxy:3128" }],
    [{ proxy: "env" }, { proxy: "env" }],
    [{ webhooks: [{ url: "https://h/in?TOKEN#more" }] }, { webhooks: [{ url: "https://h/in?…#…" }] }],
    [{ headers: { a: "Bearer ${KEY}" } }, { headers: { a: "Bearer ${KEY}" } }],
    [{ headers: { a: "Basic ${USER}:PW" } }, { headers: { a: "Basic ${USER}:…" } }],
    [{ headers: { a: "session=COOKIE; user=${X}" } }, { headers: { a: "…=${X}" } }],
    [{ headers: { a: "${file:/run/a}:LITERAL" } }, { headers: { a: "${file:/run/a}:…" } }],
    [{ tls: { passphrase: "unused${X}SECRET" } }, { tls: { passphrase: "…${X}…" } }],
    [{ subprotocols: ["mcp", "hunter"] }, { subprotocols: ["mcp", "…"] }],
    [
      {
        protocol: {
          preset: "json",
          cancel: { op: "stop", id: "$id", token: "X" },
          sends: [{ match: { "/token": "X" } }],
        },
      },
      {
        protocol: {
          preset: "json",
          cancel: { op: "stop", id: "$id", token: "…" },
          sends: [{ match: { "/token": "…" } }],
        },
      },
    ],
    [
      { protocol: { preset: "text", id: { out: "#$id $message", in: "^#(?<id>\\d+)" }, cancel: "stop $id token=X" } },
      { protocol: { preset: "text", id: { out: "#$id $message", in: "^#(?<id>\\d+)" }, cancel: "… $id …" } },
    ],
    [
      { protocol: { preset: "text", answers: [{ when: "^PING (?<n>.+)$", send: "PONG $n" }] } },
      { protocol: { preset: "text", answers: [{ when: "^PING (?<n>.+)$", send: "… $n" }] } },
    ],
    [
      { protocol: { preset: "lsp", root: "file:///srv/a", settings: '{"key":"X"}', options: '{"licence":"X"}' } },
      { protocol: { preset: "lsp", root: "file:///srv/a", settings: "…", options: "…" } },
    ],
    [
      { protocol: { preset: "graphql-transport-ws", payload: { pin: 4321, deep: [765_432] } } },
      { protocol: { preset: "graphql-transport-ws", payload: { pin: "${a number}", deep: ["${a number}"] } } },
    ],
    [
      { greeting: [{ send: { op: 1000, pin: 4321, depth: 10, password: 1, again: true } }] },
      { greeting: [{ send: { op: 1000, pin: "${a number}", depth: 10, password: "${a number}", again: true } }] },
    ],
    [
      { subscriptions: { s: { request: { method: "sub", sig: "X", args: ["$id"] }, has: ["/result/0/data/member"] } } },
      { subscriptions: { s: { request: { method: "sub", sig: "…", args: ["$id"] }, has: ["/result/0/data/member"] } } },
    ],
    [{ greeting: [{ send: { id: KEY, channel: "news" } }] }, { greeting: [{ send: { id: "…", channel: "news" } }] }],
    [{ add: { "/jsonrpc": "2.0", "/params/0": "X" } }, { add: { "/jsonrpc": "2.0", "/params/0": "…" } }],
    [{ keepalive: { heartbeat: { every: "${conn:ms}ms" } } }, { keepalive: { heartbeat: { every: "${conn:ms}ms" } } }],
  ];
  for (const [settings, expected] of cases) assert.deepEqual(hidden(settings), expected);
});
