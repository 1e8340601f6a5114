/** Webhooks in turns: the places at which they begin, go on and end, with the thread's journals and a real receiver. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { webhookSchema } from "../../src/config/webhook-settings.ts";
import { cursorText, MAIN_JOURNAL } from "../../src/core/messages/journal.ts";
import type { Network } from "../../src/net/connect.ts";
import { Webhook } from "../../src/push/webhook.ts";
import type { CommandOf } from "../../src/sidecar/contract.ts";
import { JournalPulls } from "../../src/sidecar/host/journal-pulls.ts";
import { PushTurns } from "../../src/sidecar/host/push-turns.ts";
import { Journals } from "../../src/sidecar/thread/journals.ts";
import { Receiver } from "../support/receiver.ts";
import { type Cleanup, until } from "../support/until.ts";

const upstream = "default";
const EPOCH = "e";
const network: Network = {
  resolve: () => () => {},
  connect: ({ port }, { address }) => connect(port, address),
};

/** A replica's webhook, in a turn if it is told so. */
class Replica {
  readonly webhook: Webhook;
  readonly pulls: JournalPulls;
  readonly journals: Journals;
  /** What the replica has had kept. */
  readonly places: string[] = [];
  readonly rested: number[] = [];
  /** The next reads that fail. */
  unread = 0;
  readonly #turns: PushTurns;
  #turn = 0;

  constructor(t: Cleanup, receiver: Receiver, settings: object = {}) {
    this.#turns = new PushTurns(upstream, (message) => this.#onPost(message));
    this.journals = new Journals(upstream, { count: 100, bytes: 1e6 }, (message) => {
      if (message.type === "page") setImmediate(() => this.pulls.receive(message.seq, message.page));
    });
    this.journals.open(MAIN_JOURNAL, { epoch: EPOCH, former: [] });
    this.pulls = new JournalPulls(upstream, (message) => {
      if (message.type === "cancelRead") this.journals.cancelRead(message.seq);
      else if (message.type === "read" && this.unread-- > 0)
        setImmediate(() => this.pulls.unread(message.seq, { code: "upstream_down", sent: "no", detail: "not read" }));
      else if (message.type === "read") setImmediate(() => this.journals.read(message));
    });
    this.webhook = new Webhook({
      upstream,
      settings: webhookSchema.parse({ url: receiver.url, batch: 2, ...settings }),
      journals: this.pulls,
      network,
      turns: this.#turns,
      reply: async () => ({ type: "done" }),
      onUnsentReply: () => {},
      onChange: () => {},
    });
    this.#turns.follow(new Map([["w", this.webhook]]));
    t.after(async () => this.webhook.stop());
  }

  say(...texts: readonly string[]): void {
    for (const text of texts) this.journals.append(MAIN_JOURNAL, JSON.stringify(text), "json");
  }

  begin(seq?: number): void {
    const places = seq === undefined ? {} : { w: { epoch: EPOCH, seq } };
    this.#turns.receive({ type: "pushing", upstream, turn: ++this.#turn, places });
  }

  end(why?: string): void {
    this.#turns.receive({ type: "pushing", upstream, turn: this.#turn, why });
  }

  #onPost(message: CommandOf<"pushed" | "rested">): void {
    if (message.type === "rested") this.rested.push(message.turn);
    else this.places.push(cursorText(message.place));
  }
}

/** The messages of each push. */
function pushesTo({ deliveries }: Receiver): readonly (readonly unknown[])[] {
  return deliveries.map(({ messages }) => messages.map(({ data }) => data));
}

test("a push that is under way when its turn ends is finished and kept, and no other begins", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.delayMs = 30;
  const replica = new Replica(t, receiver);
  replica.say("1", "2", "3");
  assert.equal(replica.webhook.state.elsewhere, true);
  replica.begin();
  await receiver.until(() => receiver.deliveries.length === 1, { what: "the first push" });
  replica.end();
  assert.deepEqual(replica.rested, []);
  await until(() => replica.rested.length > 0, { what: "the rest" });
  assert.deepEqual([replica.rested, replica.places, pushesTo(receiver)], [[1], ["e-2"], [["1", "2"]]]);
  const { elsewhere, acknowledged, delivered } = replica.webhook.state;
  assert.deepEqual({ elsewhere, acknowledged, delivered }, { elsewhere: true, acknowledged: null, delivered: 2 });
  replica.begin(2);
  await receiver.until(() => receiver.deliveries.length === 2, { what: "the next turn" });
  assert.deepEqual(pushesTo(receiver)[1], ["3"]);
  await until(() => replica.webhook.state.acknowledged === "e-3", { what: "the acknowledgement" });
});

test("a turn that begins while a push is under way goes on where another replica was", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.delayMs = 30;
  const replica = new Replica(t, receiver);
  replica.say("1", "2", "3", "4", "5");
  replica.begin();
  await receiver.until(() => receiver.deliveries.length === 1, { what: "the first push" });
  replica.end();
  replica.begin(4);
  await receiver.until(() => receiver.deliveries.length === 2, { what: "the push of the second turn" });
  await until(() => replica.places.length > 0, { what: "the place" });
  assert.deepEqual(pushesTo(receiver), [["1", "2"], ["5"]]);
  assert.deepEqual(replica.places, ["e-5"], "the older place is not kept in its stead");
});

test("a pause between attempts ends with the turn, whose fault the state says", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.status = () => 500;
  receiver.headers = { "retry-after": "60" };
  const replica = new Replica(t, receiver);
  replica.say("1");
  replica.begin();
  await until(() => replica.webhook.state.failures === 1, { what: "the failed attempt" });
  replica.end("no server");
  await until(() => replica.rested.length > 0, { what: "the rest" });
  const { elsewhere, failures, lastError, stopped } = replica.webhook.state;
  assert.deepEqual(
    { elsewhere, failures, lastError, stopped },
    { elsewhere: false, failures: 0, lastError: "no server", stopped: false },
  );
});

test("the rest of a batch that the receiver refuses as a whole is left to the next turn", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.delayMs = 30;
  receiver.status = ({ messages }) => (messages.length > 1 ? 422 : 204);
  const replica = new Replica(t, receiver);
  replica.say("1", "2");
  replica.begin();
  await receiver.until(() => receiver.deliveries.length === 2, { what: "the push of the first half" });
  replica.end();
  await until(() => replica.rested.length > 0, { what: "the rest" });
  assert.deepEqual([replica.places, pushesTo(receiver)], [["e-1"], [["1", "2"], ["1"]]]);
  replica.begin(1);
  await receiver.until(() => receiver.deliveries.length === 3, { what: "the second half" });
  assert.deepEqual(pushesTo(receiver)[2], ["2"]);
});

test("where a first turn begins is kept at once, so that another replica skips nothing", async (t) => {
  const receiver = await Receiver.start(t);
  const replica = new Replica(t, receiver, { after: "latest" });
  replica.say("1", "2");
  replica.begin();
  await until(() => replica.places.length > 0, { what: "the place" });
  assert.deepEqual(replica.places, ["e-2"]);
  const other = new Replica(t, receiver, { after: "latest" });
  other.say("1", "2", "3");
  other.begin(2);
  await receiver.until(() => receiver.deliveries.length > 0, { what: "the push" });
  assert.deepEqual(pushesTo(receiver), [["3"]]);
});

test("a journal that cannot be read is read again, and what a filter leaves out is kept as done", async (t) => {
  const receiver = await Receiver.start(t);
  const replica = new Replica(t, receiver, { where: { "": "yes" } });
  replica.say("yes", "no", "no");
  replica.unread = 1;
  replica.begin();
  await until(() => replica.webhook.state.lastError === "not read", { what: "the failed reading" });
  assert.equal(replica.webhook.state.stopped, false);
  await receiver.until(() => receiver.deliveries.length === 1, { what: "the push" });
  await until(() => replica.places.at(-1) === "e-3", { what: "the place behind what is left out" });
});
