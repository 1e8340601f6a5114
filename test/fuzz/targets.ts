/** The pure targets: whatever callers, upstreams, modules and people who write configurations can send. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problems.ts";
import { configSchema } from "../../src/config/schema.ts";
import { compileWhere, frameText } from "../../src/protocols/condition.ts";
import type { FrameOptions } from "../../src/protocols/frames.ts";
import { parsePointer } from "../../src/protocols/json-place.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { pick } from "../../src/protocols/pick.ts";
import { fromModule } from "../../src/protocols/presets.ts";
import { type Body, type Decoded, InvalidMessage, type Protocol } from "../../src/protocols/protocol.ts";
import { Framing } from "../../src/sidecar/thread/framing.ts";
import { loadProtocol, withConfiguredRules } from "../../src/sidecar/thread/load-protocol.ts";
import { ExchangeModel } from "../core/exchange/exchange-model.ts";
import type { Target } from "./fuzzer.ts";

/** Separates the parts of an input that has several. */
const APART = "\n---\n";

const JSON_TOKENS = [
  ...['"id"', '"id":1', '"result"', '"error"', '"method"', '"type"', '"jsonrpc":"2.0"', '"params"', '"d"', '"op"'],
  ...["{", "}", "[", "]", ",", ":", '"', "null", "true", "1", "-1", "0.1e1", '"1"', "\u001e", "\n", "[[[[[[[[", "{}"],
];

/** A preset with a good request, frames that it may get, and a reply to its request with the id 1. */
interface Spoken {
  readonly name: string;
  readonly protocol: unknown;
  readonly request: string;
  readonly frames: readonly string[];
  readonly reply: string;
}

const anyId = { id: { kind: "string" } };
const spoken: readonly Spoken[] = [
  {
    name: "json-rpc",
    protocol: { preset: "json-rpc", frames: { split: "\n" } },
    request: '{"jsonrpc":"2.0","id":"a","method":"m","params":[1]}',
    frames: ['{"jsonrpc":"2.0","method":"tick","params":{}}', '{"jsonrpc":"2.0","id":null,"error":{"code":1}}'],
    reply: '{"jsonrpc":"2.0","id":1,"result":[1]}',
  },
  {
    name: "json",
    protocol: {
      preset: "json",
      ...anyId,
      frames: { split: "array", inflate: "auto" },
      reply: { lacks: ["/method"] },
      skip: [{ match: { "/type": "ack" } }, { text: "^WAIT" }],
      final: [{ match: { "/type": "done" } }],
      collect: { frames: 10 },
      errors: { when: { any: [{ has: ["/error"] }, { text: "^ERR" }] }, do: "fail_oldest" },
      answers: [{ when: { match: { "/type": "ping" } }, send: { type: "pong" }, copy: { "/at": "/at" }, keep: true }],
    },
    request: '{"id":7,"type":"get","n":1}',
    frames: ['{"id":"1","type":"ack"}', '{"id":"1","type":"part"}', '{"type":"ping","at":[1]}', "ERR 1"],
    reply: '{"id":"1","type":"done"}',
  },
  {
    name: "text",
    protocol: { preset: "text", reply: "^[+-]", skip: ["^[+]WAIT"], final: ["^[+]OK", "^-"], collect: { frames: 10 } },
    request: "get 1",
    frames: ["+DATA 1", "*event", "+WAIT", "+OK 1"],
    reply: "+OK 1",
  },
  {
    name: "text with ids",
    protocol: {
      preset: "text",
      id: { out: "#$id $message", in: "^(?<cut>#(?<id>[0-9]+) )", kind: "int" },
      final: ["OK$"],
    },
    request: "get 1",
    frames: ["#1 ACK", "#2 OK", "ERR"],
    reply: "#1 OK",
  },
  {
    name: "cdp",
    protocol: "cdp",
    request: '{"id":5,"method":"Page.enable","sessionId":"s"}',
    frames: ['{"method":"Page.loaded","params":{}}', '{"error":{"code":-32700,"message":"x"}}'],
    reply: '{"id":1,"result":{}}',
  },
  {
    name: "graphql-transport-ws",
    protocol: "graphql-transport-ws",
    request: '{"type":"subscribe","payload":{"query":"{ a }"}}',
    frames: ['{"id":"1","type":"next","payload":{}}', '{"id":"1","type":"error","payload":[]}', '{"type":"ping"}'],
    reply: '{"id":"1","type":"complete"}',
  },
  {
    name: "home-assistant",
    protocol: { preset: "home-assistant", token: "secret" },
    request: '{"type":"get_states"}',
    frames: ['{"id":1,"type":"event","event":{}}', '{"type":"auth_required"}'],
    reply: '{"id":1,"type":"result","success":true}',
  },
  {
    name: "obs",
    protocol: { preset: "obs", password: "secret" },
    request: '{"op":6,"d":{"requestType":"GetVersion"}}',
    frames: ['{"op":5,"d":{}}', '{"op":0,"d":{"authentication":{"challenge":"a","salt":"b"}}}'],
    reply: '{"op":7,"d":{"requestId":"1","requestStatus":{"result":true}}}',
  },
];

const REPLY_BYTES = 1024 * 1024;

/** The settings as the schema makes them, with all that it fills in. */
async function protocolOf(settings: unknown): Promise<{ protocol: Protocol; frames: FrameOptions | undefined }> {
  await preparePatterns(settings);
  const config = configSchema.parse({ upstreams: { a: { url: "ws://127.0.0.1:1", protocol: settings } } });
  const parsed = config.upstreams?.a?.protocol ?? assert.fail("no protocol");
  const protocol = withConfiguredRules(await loadProtocol(parsed), parsed);
  return { protocol, frames: typeof parsed === "object" ? parsed.frames : undefined };
}

function bodyOf(input: Buffer): Body {
  // A first byte of 1 makes a binary frame of the rest.
  return input[0] === 1 ? new Uint8Array(input.subarray(1)) : input.toString("utf8");
}

/** Frames of an upstream: a request that is in flight ends once, and the exchange goes on whatever came. */
async function frameTarget({ name, protocol: settings, request, frames, reply }: Spoken): Promise<Target> {
  const { protocol, frames: options } = await protocolOf(settings);
  const framing = new Framing(options, protocol.accepts, REPLY_BYTES);
  return {
    name: `frames of ${name}`,
    seeds: [...frames, reply, frames.join(APART)],
    tokens: [...frames, reply, ...JSON_TOKENS, APART, "\u0001"],
    run(input) {
      const model = new ExchangeModel(protocol, { reply_bytes: REPLY_BYTES });
      model.connect();
      const seq = model.call(request);
      const ways: string[] = [];
      for (const part of splitAt(input, APART).slice(0, 20)) {
        const pieces: Body[] = [];
        const steps = framing.handle(bodyOf(part), (piece) => pieces.push(piece));
        let step = steps.next();
        while (!step.done) step = steps.next();
        if (step.value) {
          const { why } = step.value;
          ways.push(why);
          model.carryOut(model.exchange.onUnreadable(bodyOf(part), why, model.now));
          continue;
        }
        for (const piece of pieces.slice(0, 100)) {
          const decoded = protocol.decode(piece);
          ways.push(
            decoded.type === "noise" || decoded.type === "invalid" ? `${decoded.type} ${decoded.why}` : decoded.type,
          );
          assert.deepEqual(protocol.decode(piece).type, decoded.type);
          if (showsArrival(decoded, protocol)) for (const taken of model.taken) taken.proven = true;
          if (model.connected) model.frame(piece);
        }
      }
      if (model.connected && !model.outcomes.has(seq)) model.frame(reply);
      model.pass(200_000);
      assert.ok(model.outcomes.has(seq), "the request has not ended");
      return ways.join();
    },
  };
}

/** Bodies of callers: taken as a message, or refused as one. */
async function messageTarget({ name, protocol: settings, request, reply }: Spoken): Promise<Target> {
  const { protocol } = await protocolOf(settings);
  return {
    name: `messages of ${name}`,
    seeds: [request, `[${request},${request}]`, reply],
    tokens: [request, ...JSON_TOKENS],
    run(input) {
      const body = bodyOf(input);
      try {
        const items = protocol.split?.(body, 1_024) ?? [body];
        for (const item of items.slice(0, 100)) {
          for (const route of ["request", "rpc", "send"] as const) protocol.encode(item, 7, route);
        }
      } catch (error) {
        assert.ok(error instanceof InvalidMessage, `threw ${error}`);
        return error.message;
      }
      const model = new ExchangeModel(protocol);
      model.connect();
      const seq = model.call(body);
      model.pass(200_000);
      assert.ok(model.outcomes.has(seq), "the request has not ended");
      return model.outcome(seq).type;
    },
  };
}

/** A filter and a frame. */
const whereTarget: Target = {
  name: "where",
  seeds: [`/a/0=1${APART}{"a":[1]}`, `/a~1b${APART}{"a/b":null}`, `=1${APART}1`, `/a=x${APART}{"a":"x"}`],
  tokens: ["/a", "/0", "=", "~0", "~1", APART, ...JSON_TOKENS],
  run(input) {
    const [rule = "", frame = Buffer.alloc(0)] = splitAt(input, APART);
    const text = rule.toString("utf8");
    const at = text.indexOf("=");
    const where = at < 0 ? { pointer: text } : { pointer: text.slice(0, at), value: text.slice(at + 1) };
    let test: ReturnType<typeof compileWhere>;
    try {
      test = compileWhere([where]);
    } catch (error) {
      assert.match((error as Error).message, /pointer/i);
      return "refused";
    }
    const holds = test(frameText(bodyOf(frame)));
    const value = valueAt(bodyOf(frame), where.pointer);
    if (value === AMBIGUOUS) return "ambiguous";
    if (value === undefined || where.value === undefined) assert.equal(holds, value !== undefined);
    else if (typeof value === "string") assert.equal(holds, where.value === value || parsed(where.value) === value);
    return `${holds} ${typeof value}`;
  },
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const AMBIGUOUS = Symbol("several values, or none that JSON.parse can tell");

/** The value at a pointer as JSON.parse sees it. */
function valueAt(frame: Body, pointer: string): unknown {
  const text = typeof frame === "string" ? frame : Buffer.from(frame).toString("utf8");
  // Text that is nested too deeply is not JSON to us, and a key that occurs twice is none.
  if (typeof frame !== "string" || text.length > 10_000 || text.split(/[[{]/).length > 50) return AMBIGUOUS;
  let value = parsed(text);
  if (value === undefined) return undefined;
  if (hasTwice(text)) return AMBIGUOUS;
  for (const token of parsePointer(pointer)) {
    if (Array.isArray(value)) value = /^(?:0|[1-9]\d*)$/.test(token) ? value[Number(token)] : undefined;
    else if (typeof value === "object" && value !== null && Object.hasOwn(value, token))
      value = (value as Record<string, unknown>)[token];
    else return undefined;
  }
  return value;
}

/** True if a key may occur twice: a parser that drops one makes fewer of them. */
function hasTwice(text: string): boolean {
  let keys = 0;
  JSON.parse(text, function (this: unknown, key, value) {
    if (key !== "" && !Array.isArray(this)) keys += 1;
    return value;
  });
  const colons = text.replace(/"(?:[^"\\]|\\.)*"/g, '""').split(":").length - 1;
  return colons !== keys;
}

/** A pointer and a reply. */
const pickTarget: Target = {
  name: "pick",
  seeds: [`/result/0${APART}{"result":["a"]}`, `${APART}{"error":1}`, `/a~0${APART}{"a~":{"b":1}}`],
  tokens: ["/a", "/0", "/result", "~0", "~1", APART, ...JSON_TOKENS],
  run(input) {
    const [pointer = Buffer.alloc(0), reply = Buffer.alloc(0)] = splitAt(input, APART);
    let at: ReturnType<typeof parsePointer>;
    try {
      at = parsePointer(pointer.toString("utf8"));
    } catch (error) {
      assert.match((error as Error).message, /pointer/i);
      return "refused";
    }
    const picked = pick(bodyOf(reply), at);
    const value = valueAt(bodyOf(reply), pointer.toString("utf8"));
    if ("text" in picked && value !== AMBIGUOUS) {
      assert.deepEqual(typeof value === "string" ? picked.text : JSON.parse(picked.text), value);
    }
    return "why" in picked ? picked.why : typeof value;
  },
};

const CONFIG = `listen: { port: 0, host: 127.0.0.1 }
upstreams:
  default:
    url: wss://example.org/socket?token=\${TOKEN}
    headers: { authorization: "Bearer \${file:/run/secrets/token}" }
    protocol: { preset: json, id: { out: /id, in: /id, kind: string }, skip: [{ match: { /type: ack } }] }
    greeting:
      - send: { op: login, id: $id }
        expect: { any: [{ has: [/result] }, { text: "^OK" }], within: 5s }
        reject: { has: [/error], class: slow }
    limits: { in_flight: 10, reply_bytes: 1MiB, pace: { messages: 10, per: 1s } }
    keepalive: { ping: 15s, heartbeat: { send: { op: ping }, every: 30s, expect: { match: { /op: pong } } } }
    subscriptions: { heads: { preset: eth_subscribe, params: [newHeads] } }
    webhooks: [{ url: "https://example.org/hook", secret: "whsec_\${SECRET}", when: { has: [/params] } }]
    reconnect: { from: 200ms, to: 30s, codes: { 4000: refuse } }
replies: { keep: 5m }
shutdown: { drain: 3s }
`;

const CONFIG_LENGTH_MAX = 8_192;

/** Texts of a configuration file: loaded, or refused with lines that people can read. */
const configTarget: Target = {
  name: "configuration",
  // It is read once, by whoever starts the service.
  slowMs: 2_000,
  seeds: [CONFIG, '{"upstreams":{"a":{"url":"ws://127.0.0.1:1"}}}', "a: &a [*a]", "a: !!binary aGk=\n"],
  tokens: [
    ...CONFIG.split(/(?<=[\n ,{}])/),
    "&a ",
    "*a",
    "!!str ",
    "? ",
    "- ",
    "|\n",
    ">\n",
    "<<: ",
    "%YAML 1.1\n",
    "\t",
  ],
  async run(input) {
    try {
      const loaded = await loadConfig({
        flags: { config: "file.yaml" },
        env: { TOKEN: "a", SECRET: "b" },
        // A parser of YAML may take a time that is the square of the length; nobody writes such a file.
        readFile: (path) =>
          path.endsWith("file.yaml")
            ? Promise.resolve(input.toString("utf8", 0, CONFIG_LENGTH_MAX))
            : Promise.reject(missing()),
      });
      return `good, ${loaded.warnings.length} warnings`;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      assert.ok(error.message.length > 0);
      assert.doesNotMatch(error.message, /\[object |undefined is not|\bat \S+ \(/);
      return error.message.split("\n")[0]?.replace(/^.*?: /, "") ?? "";
    }
  },
};

function missing(): NodeJS.ErrnoException {
  return Object.assign(new Error("ENOENT"), { code: "ENOENT" });
}

/** Results of a module, written as JSON with `$throw`, `$bytes` and `$call`: anything is turned into a known one. */
const moduleTarget: Target = {
  name: "module results",
  seeds: [
    '{"type":"reply","id":1,"render":{"$call":"+OK"}}',
    '[{"type":"part","id":1,"render":{"$call":"a"}},{"type":"reply","id":1,"render":{"$call":"b"},"gather":{"$call":"c"}}]',
    '{"type":"answer","frame":{"$bytes":3},"keep":true,"adopt":true}',
    '{"type":"message","render":{"$throw":"no"}}',
    '{"type":"message","render":{"$call":{"a":[1]}}}',
    '["hello",{"$bytes":2}]',
    '{"type":"error","fails":"oldest"}',
    '{"type":"noise","why":"x"}',
  ],
  tokens: [
    ...['{"$throw":"x"}', '{"$bytes":2}', '{"$call":null}', '{"$call":{"$throw":1}}', '"type"', '"render"', '"gather"'],
    ...[
      '"reply"',
      '"part"',
      '"progress"',
      '"invalid"',
      '"why"',
      '"frame"',
      '"fails"',
      '"all"',
      '"own"',
      ...JSON_TOKENS,
    ],
  ],
  run(input) {
    let result: unknown;
    try {
      result = JSON.parse(input.toString("utf8"));
    } catch {
      return "not JSON";
    }
    const encode = (_: Body, id: number) => ({ frame: String(id) });
    const module = { name: "fuzzed", encode, decode: () => revived(result), streams: true };
    const ofConnection = { ...module, opened: () => revived(result), tick: () => revived(result) };
    keepsState(() => ({ ...ofConnection, toWire: () => revived(result), end: () => revived(result) }));
    const protocol = fromModule({ default: module });
    const decoded = protocol.decode("frame");
    const model = new ExchangeModel(protocol);
    model.connect();
    const seq = model.call("{}");
    if (showsArrival(decoded, protocol)) for (const taken of model.taken) taken.proven = true;
    model.frame("frame");
    if (model.connected) model.frame("frame");
    model.pass(200_000);
    assert.ok(model.outcomes.has(seq), "the request has not ended");
    return "why" in decoded ? decoded.why : `${decoded.type} ${model.outcome(seq).type}`;
  },
};

function revived(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { $throw: thrown, $bytes: bytes, $call: call } = value as Readonly<Record<string, unknown>>;
  if (thrown !== undefined) throw typeof thrown === "string" ? new Error(thrown) : thrown;
  if (typeof bytes === "number") return new Uint8Array(Math.min(1_000, Math.max(0, Math.floor(bytes) || 0)));
  if (call !== undefined) return () => revived(call);
  if (Array.isArray(value)) return value.map(revived);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, revived(each)]));
}

/** A connection with such results begins or is refused, sends only frames, decodes once, and ends. */
function keepsState(factory: () => unknown): void {
  const protocol = fromModule({ default: factory });
  const begun = protocol.states?.begin(1);
  const sent = [...(typeof begun === "string" ? [] : (begun ?? [])), ...(protocol.states?.tick(1) ?? [])];
  for (const frame of [...sent, protocol.toWire?.("frame", 1)])
    assert.ok(typeof frame === "string" || frame instanceof Uint8Array, "a frame is neither text nor bytes");
  protocol.states?.take(1, "frame");
  if (typeof begun !== "string") assert.equal(protocol.decode("frame", 1), protocol.decode("frame", 1));
  protocol.states?.end(1);
}

/** True if a frame shows that the only request has arrived, without being its reply. Its id is 1. */
function showsArrival(decoded: Decoded, protocol: Pick<Protocol, "correlation">): boolean {
  if (decoded.type === "several") return decoded.results.some((each) => showsArrival(each, protocol));
  const { type } = decoded;
  return (type === "progress" || type === "part") && (protocol.correlation === "order" || Number(decoded.id) === 1);
}

function splitAt(input: Buffer, separator: string): readonly Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = input.indexOf(separator); at >= 0; at = input.indexOf(separator, from)) {
    parts.push(input.subarray(from, at));
    from = at + separator.length;
  }
  return [...parts, input.subarray(from)];
}

export async function pureTargets(): Promise<readonly Target[]> {
  const ofProtocols = await Promise.all(spoken.flatMap((one) => [frameTarget(one), messageTarget(one)]));
  return [...ofProtocols, whereTarget, pickTarget, configTarget, moduleTarget];
}
