/** A reader that is cut again and again and resumes with Last-Event-ID, while everything around it breaks too. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { eventsIn, type GapFacts, MESSAGES, type StreamEvent } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { seeded } from "../support/random.ts";
import { type Cleanup, until } from "../support/until.ts";
import { deeds, say } from "./deeds.ts";

/** The number of cuts. `CUTS=1000` for the long form, `SEED=7` for other places. */
const CUTS = Number(process.env.CUTS ?? 50);
const SEED = Number(process.env.SEED ?? 1);
/** The journal's bound, in messages: a reader that stays away a little longer finds a gap. */
const KEPT = 500;
/** A thread that dies five times in half a minute is given up, hence one less. */
const CRASHES = 4;

/** The events that a reader received, compared with the truth: messages are numbered, with or without a connection. */
class Account {
  last = 0;
  readonly gaps: string[] = [];
  /** Messages missing since the last one, by the gaps; null if a gap's count is unknown. */
  #missing: number | null = 0;

  take({ name, data }: StreamEvent): void {
    if (data === undefined) return;
    if (name === "gap") {
      const { dropped, reason } = JSON.parse(data) as GapFacts;
      this.gaps.push(reason);
      this.#missing = dropped === null || this.#missing === null ? null : this.#missing + dropped;
      return;
    }
    const n = Number(/^news (\d+)$/.exec(data)?.[1]);
    assert.ok(n > this.last, `${data} after ${this.last}`);
    const jump = n - this.last - 1;
    if (this.#missing !== null) assert.equal(jump, this.#missing, `${data} after ${this.last}, ${this.gaps.at(-1)}`);
    this.last = n;
    this.#missing = 0;
  }
}

/** Reads until at least `enough` messages have arrived, then is cut. @returns all received events, whole ones only */
async function read(product: Product, t: Cleanup, id: string | undefined, enough: number, reset: boolean) {
  const connection = await RawConnection.open(product, t);
  const resume = id === undefined ? "" : `Last-Event-ID: ${id}\r\n`;
  connection.write(`GET ${MESSAGES} HTTP/1.0\r\nHost: ${new URL(product.url).host}\r\n`);
  connection.write(`Accept: text/event-stream\r\n${resume}\r\n`);
  const events = () => {
    const head = connection.received.indexOf("\r\n\r\n");
    return head < 0 ? [] : eventsIn(connection.received.slice(head + 4));
  };
  const received = () => events().filter(({ data }) => data !== undefined).length;
  await connection.until(() => (enough === 0 ? events().length > 0 : received() >= enough), {
    within: 20_000,
    what: () => `${enough} events; so far: ${connection.received.slice(-300)}`,
  });
  if (reset) connection.reset();
  else connection.destroy();
  return events();
}

test(`row 34: a reader that is cut ${CUTS} times sees every message once, or an exact gap in its place`, async (t) => {
  const random = seeded(SEED);
  const upTo = (most: number) => Math.floor(random() * (most + 1));
  const { upstream, upstreams } = await deeds(t);
  const { default: settings } = upstreams as { default: object };
  const product = await startProduct({
    config: { upstreams: { default: { ...settings, messages: { count: KEPT } } } },
    t,
  });
  await product.ready();
  let sent = 0;
  const sending = setInterval(() => {
    for (let n = 0; n < 4; n++) upstream.broadcast(`news ${++sent}`);
  }, 4);
  t.after(async () => clearInterval(sending));

  const account = new Account();
  let id: string | undefined;
  const faults = { restart: 0, crash: 0, away: 0 };
  for (let cut = 1; cut <= CUTS; cut++) {
    for (const event of await read(product, t, id, upTo(60), random() < 0.5)) {
      account.take(event);
      id = event.id ?? id;
    }
    if (cut % 7 === 3) {
      faults.restart++;
      await upstream.restart();
      if (random() < 0.5) await product.ready();
    }
    if (cut % 11 === 5 && faults.crash < CRASHES) {
      faults.crash++;
      const deed = ["throw", "exit"][faults.crash % 2] as string;
      // The upstream may have just restarted: the deed would be lost.
      await upstream.connected();
      assert.equal((await say(product, deed)).status, 502);
      if (random() < 0.5) await product.ready();
    }
    if (cut % 9 === 8) {
      faults.away++;
      const enough = sent + KEPT + upTo(KEPT);
      await until(() => sent >= enough, { what: "more messages than are kept" });
    }
  }
  clearInterval(sending);
  await product.ready();
  upstream.broadcast(`news ${++sent}`);
  while (account.last < sent) {
    for (const event of await read(product, t, id, 1, false)) {
      account.take(event);
      id = event.id ?? id;
    }
  }
  const count = (reason: string) => account.gaps.filter((one) => one === reason).length;
  const gaps = { away: count("away"), crashed: count("crashed"), overflow: count("overflow") };
  t.diagnostic(`${sent} messages, of ${JSON.stringify(faults)} the gaps ${JSON.stringify(gaps)}`);
  assert.ok(Object.values(gaps).every((often) => often > 0));
  assert.equal((await product.stop()).code, 0, product.stderr());
});
