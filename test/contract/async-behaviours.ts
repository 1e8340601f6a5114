/** The behaviour of an upstream whose calls are awaited, whether it is in this program or behind HTTP. */
import assert from "node:assert/strict";
import { type AsyncSidecar, SidesocketError, type SubscriptionOrder, type UpstreamMessage } from "../../src/index.ts";
import { bounded, until } from "../support/until.ts";
import { type Message, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { answerJsonRpc } from "../support/upstream-methods.ts";

export interface Scene {
  readonly caller: AsyncSidecar;
  readonly upstream: Upstream;
}

export const call = (method: string, params: unknown = [], id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params });

/** An upstream that has subscriptions, too: `subscribe` with `forbidden` is refused, with `silence` never answered. */
export function startSubscribable(): Promise<Upstream> {
  return startUpstream({ onMessage: answer });
}

function answer(message: Message, connection: UpstreamConnection): void {
  const { id, method, params } = JSON.parse(String(message));
  const reply = (outcome: object) => connection.send({ jsonrpc: "2.0", id, ...outcome });
  if (method === "unsubscribe") reply({ result: params[0] !== "of refusing" });
  else if (method !== "subscribe") answerJsonRpc(message, connection);
  else if (params[0] === "forbidden") reply({ error: { code: -1, message: "no" } });
  else if (params[0] !== "silence") reply({ result: `of ${params[0]}` });
}

export const ticksOf = (topic: string): SubscriptionOrder => ({
  request: { jsonrpc: "2.0", method: "subscribe", params: [topic] },
  id: "/result",
  match: { "/method": "tick", "/params/subscription": "$id" },
  unsubscribe: { jsonrpc: "2.0", method: "unsubscribe", params: ["$id"] },
});

export function tick(upstream: Upstream, topic: string, n: number): void {
  upstream.last.send({ jsonrpc: "2.0", method: "tick", params: { subscription: `of ${topic}`, n } });
}

/** The methods and parameters that the upstream has received with this word in them. */
export const received = ({ texts }: Upstream, word: string) => texts.filter((text) => text.includes(word));

export const failsAs =
  (code: string, sent: string, text = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof SidesocketError, String(error));
    assert.deepEqual([error.code, error.sent], [code, sent], error.message);
    assert.match(error.message, text);
    return true;
  };

const numberIn = (message: UpstreamMessage) => ("data" in message ? JSON.parse(String(message.data)).params.n : "gap");

export const behaviours: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  async "a reply comes as text, and in the form that the caller asks for"({ caller }) {
    const text = '{"jsonrpc":"2.0","id":"mine","result":["ü"]}';
    const message = JSON.stringify(call("echo", ["ü"], "mine"));
    assert.equal(await caller.request(message), text);
    assert.equal(await caller.request(message).text(), text);
    assert.deepEqual(await caller.request(message).bytes(), new TextEncoder().encode(text));
    const { result } = await caller.request(message).json<{ result: string[] }>();
    assert.deepEqual(result, ["ü"]);
  },

  async "an object and a list are sent as JSON, bytes as they are"({ caller }) {
    const { result } = await caller.request(call("echo", [{ deep: [1, null] }])).json<{ result: unknown }>();
    assert.deepEqual(result, [{ deep: [1, null] }]);
    const batch = await caller.request([call("echo", [1], "a"), call("echo", [2], "b")]).json<{ id: string }[]>();
    assert.deepEqual(
      batch.map(({ id }) => id),
      ["a", "b"],
    );
    const bytes = new TextEncoder().encode(JSON.stringify(call("echo", ["bytes"])));
    assert.match(await caller.request(bytes).text(), /"bytes"/);
  },

  async "a value that is no message is refused before anything is sent"({ caller }) {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const wrong = [7, null, undefined, Promise.resolve(), new Map([[1, 2]]), new ArrayBuffer(8), cyclic, { n: 1n }];
    for (const message of [...wrong, new Uint16Array(2), () => {}]) {
      await assert.rejects(caller.request(message as object), failsAs("invalid_request", "no", /^the message /));
      await assert.rejects(caller.send(message as object), failsAs("invalid_request", "no", /^the message /));
    }
  },

  async "rpc resolves with the result of a method"({ caller }) {
    assert.deepEqual(await caller.rpc<number[]>("echo", [1, 2]), [1, 2]);
    assert.deepEqual(await caller.rpc("echo", { by: "name" }), { by: "name" });
    const [one, other] = await Promise.all([caller.rpc("sleep", [60]), caller.rpc("sleep", [20])]);
    assert.deepEqual([one, other], [[60], [20]]);
  },

  async "rpc rejects with the upstream's own error"({ caller }) {
    await assert.rejects(caller.rpc("error", [-32005, "too much", { wait: 5 }]), (error: SidesocketError) => {
      failsAs("rpc_error", "yes", /-32005: too much$/)(error);
      assert.deepEqual(error.rpc, { code: -32005, message: "too much", data: { wait: 5 } });
      assert.deepEqual([error.retry, error.retrySafe], ["later", false]);
      return true;
    });
    await assert.rejects(caller.rpc("nothing"), (error: SidesocketError) => {
      assert.deepEqual([error.rpc?.code, error.retry], [-32601, "never"]);
      return true;
    });
    await assert.rejects(caller.rpc(7 as unknown as string), failsAs("invalid_request", "no", /method must be a text/));
  },

  async "send resolves without a reply; with confirm, once the peer has the message"({ caller, upstream }) {
    assert.equal(await caller.send(call("silent", ["sent"])), undefined);
    assert.equal(await caller.send(call("silent", ["proven"]), { confirm: true }), undefined);
    assert.equal(received(upstream, "proven").length, 1);
    await upstream.until(() => received(upstream, "sent").length === 1);
  },

  async "a request ends at its timeout with what is known of it"({ caller }) {
    const timeoutMs = 100;
    await assert.rejects(caller.request(call("silent"), { timeoutMs }), failsAs("reply_timeout", "maybe"));
    await assert.rejects(caller.rpc("silent", [], { timeoutMs }), failsAs("reply_timeout", "maybe"));
    for (const wrong of [0, -1, Number.NaN, 2 ** 31]) {
      await assert.rejects(caller.request(call("echo"), { timeoutMs: wrong }), failsAs("invalid_request", "no"));
    }
  },

  async "an aborted request rejects with the signal's reason"({ caller, upstream }) {
    const leaving = new AbortController();
    const pending = caller.request(call("silent", ["left"]), { signal: leaving.signal });
    const left = assert.rejects(pending, /lost interest/);
    await upstream.until(() => received(upstream, '"left"').length === 1);
    leaving.abort(new Error("lost interest"));
    await left;
    const signal = AbortSignal.abort(new Error("never begun"));
    await assert.rejects(caller.rpc("echo", ["never"], { signal }), /never begun/);
    assert.equal(received(upstream, '"never"').length, 0);
  },

  async "an option that nobody knows is named, with the one that was meant"({ caller }) {
    const wrong = { timeout: 5 } as object;
    const named = failsAs("invalid_request", "no", /^timeout is not an option of .* \(did you mean timeoutMs\?\)$/);
    await assert.rejects(caller.request(call("echo"), wrong), named);
    await assert.rejects(caller.rpc("echo", [], wrong), named);
    await assert.rejects(caller.send(call("echo"), wrong), named);
    await assert.rejects(caller.unsubscribe("any", wrong), named);
    await assert.rejects(caller.subscribe(ticksOf("any"), wrong).next(), named);
    const where = { were: {} } as object;
    await assert.rejects(caller.messages(where).next(), failsAs("invalid_request", "no", /did you mean where/));
    const force = { Force: true } as object;
    await assert.rejects(caller.exit(force), failsAs("invalid_request", "no", /did you mean force/));
  },

  async "messages are iterated as they come, from a cursor and with a filter"({ caller, upstream }) {
    const say = (n: number) => upstream.last.send({ jsonrpc: "2.0", method: n % 2 ? "odd" : "even", params: { n } });
    const reader = caller.messages({ after: "latest" });
    const first = reader.next();
    // The place of `latest` is known only once the first read has reached it.
    const saying = setInterval(() => say(0), 20);
    const { value } = await bounded(first);
    clearInterval(saying);
    assert.ok(value && "data" in value && value.kind === "json" && value.at instanceof Date);
    await reader.return();
    for (const n of [1, 2, 3]) say(n);
    const seen: unknown[] = [];
    for await (const message of caller.messages({
      after: value.cursor,
      where: { "/method": "odd" },
      has: ["/params"],
    })) {
      seen.push(numberIn(message));
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, [1, 3]);
    const signal = AbortSignal.timeout(200);
    const none = Promise.all(
      [{ where: { "/method": "none" } }, { has: ["/none"] }].map(async (selection) => {
        for await (const _ of caller.messages({ ...selection, signal })) assert.fail("nothing came");
      }),
    );
    await bounded(none);
    await assert.rejects(caller.messages({ after: "yesterday" }).next(), failsAs("invalid_request", "no"));
    await assert.rejects(caller.messages({ where: { kind: 1 } }).next(), failsAs("invalid_request", "no"));
    await assert.rejects(caller.messages({ subscription: "none" }).next(), failsAs("not_found", "no"));
  },

  async "a subscription is an iterator of its messages, and to leave it unsubscribes"({ caller, upstream }) {
    const subscription = caller.subscribe(ticksOf("news"));
    await bounded(subscription.agreed);
    const seen: unknown[] = [];
    tick(upstream, "news", 1);
    for await (const message of subscription) {
      seen.push(numberIn(message));
      if (seen.length === 3) break;
      tick(upstream, "news", seen.length + 1);
    }
    assert.deepEqual(seen, [1, 2, 3]);
    await upstream.until(() => received(upstream, '"unsubscribe","params":["of news"]').length === 1);
    assert.deepEqual(await subscription.next(), { done: true, value: undefined });
    await until(async () => {
      const found = await caller.messages({ subscription: subscription.name }).next().catch(String);
      return String(found).includes("unknown subscription");
    });
  },

  async "unsubscribe ends the iteration, and resolves when the upstream has agreed"({ caller, upstream }) {
    const subscription = caller.subscribe({ name: "by-name", ...ticksOf("names") });
    assert.equal(subscription.name, "by-name");
    await bounded(subscription.agreed);
    const ended = subscription.next();
    await bounded(caller.unsubscribe("by-name"));
    assert.equal(received(upstream, '"unsubscribe","params":["of names"]').length, 1);
    assert.deepEqual(await bounded(ended), { done: true, value: undefined });
    await assert.rejects(caller.unsubscribe("by-name"), failsAs("not_found", "no", /unknown subscription "by-name"/));
    const refusing = caller.subscribe(ticksOf("refusing"));
    await refusing.agreed;
    await assert.rejects(refusing.unsubscribe(), failsAs("invalid_reply", "yes", /^removed here, but /));
  },

  async "a subscription that was there already is left to those who made it"({ caller, upstream }) {
    const order = { name: "shared", ...ticksOf("shared") };
    const [one, other] = [caller.subscribe(order), caller.subscribe(order)];
    await bounded(Promise.all([one.agreed, other.agreed]));
    tick(upstream, "shared", 1);
    const [first, second] = await bounded(Promise.all([one.next(), other.next()]));
    assert.deepEqual(
      [first, second].map(({ value }) => value && numberIn(value)),
      [1, 1],
    );
    await assert.rejects(caller.subscribe({ ...order, silence: "9s" }).agreed, failsAs("conflict", "no"));
    await bounded(caller.unsubscribe("shared"));
    assert.equal(received(upstream, '"subscribe","params":["shared"]').length, 1);
  },

  async "a subscription to which the upstream does not agree rejects, and leaves nothing behind"({ caller }) {
    await assert.rejects(caller.subscribe(ticksOf("forbidden")).agreed, failsAs("invalid_reply", "yes"));
    await assert.rejects(caller.subscribe(ticksOf("forbidden")).next(), failsAs("invalid_reply", "yes"));
    const silent = caller.subscribe({ name: "silent", ...ticksOf("silence") }, { timeoutMs: 100 });
    await assert.rejects(silent.agreed, failsAs("reply_timeout", "maybe"));
    await assert.rejects(caller.unsubscribe("silent"), failsAs("not_found", "no"));
    const wrong = { ...ticksOf("any"), silense: "9s" };
    await assert.rejects(caller.subscribe(wrong).agreed, failsAs("invalid_request", "no", /did you mean silence/));
    await assert.rejects(caller.subscribe({}).agreed, failsAs("invalid_request", "no", /request is missing/));
  },

  async "the state of the connection is read"({ caller }) {
    const { phase, since, attempts } = await caller.readState();
    assert.deepEqual([phase, since instanceof Date, attempts], ["ready", true, 0]);
  },

  async "readers get a gap where a lost connection may have cost them messages"({ caller, upstream }) {
    await using subscription = caller.subscribe(ticksOf("gaps"));
    await bounded(subscription.agreed);
    tick(upstream, "gaps", 1);
    assert.equal(numberIn((await bounded(subscription.next())).value as UpstreamMessage), 1);
    upstream.kill();
    await until(() => received(upstream, '"params":["gaps"]').length === 2);
    await until(async () => (await caller.readState()).phase === "ready");
    tick(upstream, "gaps", 2);
    const { value: gap } = await bounded(subscription.next());
    assert.ok(gap && "gap" in gap && gap.gap.reason === "away", JSON.stringify(gap));
    assert.equal(numberIn((await bounded(subscription.next())).value as UpstreamMessage), 2);
  },

  async "exit runs the exit protocol, ends iterations, and refuses what comes later"({ caller }) {
    const reading = (async () => {
      for await (const _ of caller.messages({ after: "latest" }));
    })();
    const [report, again] = await bounded(Promise.all([caller.exit(), caller.exit()]));
    assert.deepEqual([report.exit_code, report.forced, report.steps.length], [0, false, 5]);
    assert.deepEqual(again, report);
    await bounded(reading);
  },
};

/** Settings of a protocol whose answer waits for its message, and the behaviour of an upstream that has it. */
export const answering = {
  preset: "json",
  answers: [{ when: { has: ["/ask"] }, send: { ack: true }, after: "delivered", within: "60s" }],
} as const;

export async function acknowledges({ caller, upstream }: Scene): Promise<void> {
  const messages = caller.messages();
  const first = messages.next();
  await until(async () => (await caller.readState()).phase === "ready");
  upstream.last.send({ ask: 1 });
  const { value } = await bounded(first);
  const { cursor } = value as UpstreamMessage;
  assert.deepEqual(upstream.texts, [], "to read acknowledges nothing");
  assert.equal(await caller.acknowledge(cursor), 1);
  await upstream.until(() => upstream.texts.length === 1);
  assert.equal(await caller.acknowledge(cursor), 0, "an answer is sent once");
  await assert.rejects(caller.acknowledge("other-1"), failsAs("gone", "no"));
  await assert.rejects(caller.acknowledge("nothing"), failsAs("invalid_request", "no"));
  await assert.rejects(caller.acknowledge(cursor, "nobody"), failsAs("not_found", "no"));
  await messages.return();
}
