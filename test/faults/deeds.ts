/** A protocol module that runs the deed named in a message: tests use it to crash, hang or block the thread. */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { written } from "../contract/files.ts";
import type { Config, Product } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

/**
 * A line `id deed argument` up, the same line down; `news …` is an unsolicited message. The message goes out first; the
 * deed runs in the next turn.
 *
 * - `throw`, `reject`, `exit`, `overflow`: the thread dies
 * - `perish ms`: it dies after a while
 * - `exhaust`: it takes memory until it dies
 * - `hang`: it loops in JavaScript without end
 * - `toil ms`: it loops for that long
 * - `block path`: it reads a file, without end if that is a pipe without a writer
 */
const MODULE = `
import { readFileSync } from "node:fs";
const deeds = {
  throw() { throw new Error("thrown on purpose"); },
  reject() { Promise.reject(new Error("rejected on purpose")); },
  exit() { process.exit(3); },
  overflow() { const again = () => again() + 1; again(); },
  perish(ms) { setTimeout(() => deeds.throw(), Number(ms)); },
  exhaust() { for (const kept = []; ; ) kept.push(new Array(1e6).fill(kept.length)); },
  hang() { for (;;); },
  toil(ms) { for (const end = performance.now() + Number(ms); performance.now() < end; ); },
  block(path) { readFileSync(path); },
};
export default {
  name: "deeds",
  accepts: "any",
  encode(message, id) {
    const [deed, argument] = String(message).split(" ");
    if (Object.hasOwn(deeds, deed)) setImmediate(() => deeds[deed](argument));
    return { frame: id + " " + message, expectsReply: true };
  },
  decode(frame) {
    const [id, ...words] = String(frame).split(" ");
    if (id === "news") return { type: "message" };
    return { type: "reply", id: Number(id), render: () => words.join(" ") };
  },
};`;

export interface Deeds {
  /** Answers `echo …`, and nothing else. */
  readonly upstream: Upstream;
  /** The `upstreams` configuration to start with. */
  readonly upstreams: Config;
  /** A pipe without a writer. */
  readonly pipe: string;
}

export async function deeds(t: Cleanup): Promise<Deeds> {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      if (/^\d+ echo/.test(String(message))) connection.send(message);
    },
  });
  const protocol = await written(t, "deeds.mjs", MODULE);
  const pipe = join(dirname(protocol), "pipe");
  const { status } = spawnSync("mkfifo", [pipe]);
  if (status !== 0) throw new Error("mkfifo failed");
  return {
    upstream,
    upstreams: { default: { url: upstream.url, protocol, reconnect: { from: "20ms", to: "100ms" } } },
    pipe,
  };
}

/** Sends a message of this protocol. */
export function say(product: Product, text: string, query = ""): Promise<Response> {
  const headers = { "Content-Type": "text/plain" };
  return product.post(`/v1/upstreams/default/request${query}`, text, { headers });
}

/** Sends a deed and waits until the thread is busy with it: from then on the thread answers nothing. */
export async function sayAndSee(
  product: Product,
  text: string,
  upstream: Pick<Upstream, "texts" | "until">,
): Promise<{ readonly answer: Promise<Response> }> {
  const answer = say(product, text);
  answer.catch(() => {}); // the caller handles the rejection
  await upstream.until(() => upstream.texts.some((line) => line.endsWith(text)), { what: `${text} at the upstream` });
  const stuck = async (): Promise<boolean> => (await product.state()).counters === null;
  await until(stuck, { what: "the thread to be stuck" });
  return { answer };
}
