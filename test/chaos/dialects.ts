/**
 * The dialects of the long runs, from the caller's end: how numbered requests are put to the product, and how their
 * outcomes are read. The upstream's end is in answers.ts.
 */
import type { Sent } from "../../src/errors.ts";
import type { Config } from "../support/product.ts";

export type Outcome =
  | { readonly type: "reply"; readonly own: boolean; readonly shown: string }
  | { readonly type: "failed"; readonly code: string; readonly sent: Sent | undefined };

export interface Dialect {
  readonly settings: Config;
  readonly contentType: string;
  /** The most requests in one HTTP request. */
  readonly batchAtMost: number;
  path(upstream: string): string;
  /** Many numbers make a batch only if `batch` is true. */
  body(numbers: readonly number[], batch: boolean): string;
  read(response: Response, numbers: readonly number[], batch: boolean): Promise<readonly Outcome[]>;
}

/** One id for all requests: only the number distinguishes them. */
const ID = 1;

/** An id and messages of the configuration's own, which callers and upstreams use as well. */
const ticks = {
  request: { jsonrpc: "2.0", id: ID, method: "subscribe", params: ["ticks"] },
  id: "/result",
  match: { "/method": "tick", "/params/subscription": "$id" },
  ended: { match: { "/method": "ended", "/params/subscription": "$id" } },
};

interface RpcAnswer {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly data?: { readonly code?: string; readonly sent?: Sent } };
  readonly status?: number;
  readonly code?: string;
  readonly sent?: Sent;
}

function rpcOutcome(answer: RpcAnswer, n: number | undefined): Outcome {
  const { id, result, error, status, code, sent } = answer;
  // A request that crosses the end of its connection at an exit: what it finds there knows no JSON-RPC.
  if (status === 408 && code === "shutting_down") return { type: "failed", code, sent };
  if (error !== undefined) {
    const { code = "(none)", sent } = error.data ?? {};
    return { type: "failed", code, sent };
  }
  const own = id === ID && Array.isArray(result) && result.length === 1 && result[0] === n;
  return { type: "reply", own, shown: JSON.stringify(answer) };
}

const rpc: Dialect = {
  settings: { subscriptions: { ticks } },
  contentType: "application/json",
  batchAtMost: Number.POSITIVE_INFINITY,
  path: (upstream) => `/rpc/${upstream}`,
  body(numbers, batch) {
    const calls = numbers.map((n) => ({ jsonrpc: "2.0", id: ID, method: "number", params: [n] }));
    return JSON.stringify(batch ? calls : calls[0]);
  },
  async read(response, numbers, batch) {
    const answers = (await response.json()) as RpcAnswer | readonly RpcAnswer[];
    // The refusal of a whole batch arrives as one error.
    if (!Array.isArray(answers)) return numbers.map((n) => rpcOutcome(answers as RpcAnswer, n));
    return batch ? answers.map((answer, at) => rpcOutcome(answer, numbers[at])) : [];
  },
};

/** The separator of the messages that share a frame. */
export const SEPARATOR = "\u001e";

const bundles: Dialect = {
  ...rpc,
  settings: { ...rpc.settings, protocol: { preset: "json-rpc", frames: { split: SEPARATOR } } },
};

/** Reads a reply on /v1, or the failure in its headers. */
async function readOne(response: Response, isOwn: (text: string) => boolean): Promise<readonly Outcome[]> {
  const text = await response.text();
  if (response.status === 200) return [{ type: "reply", own: isOwn(text), shown: text }];
  const code = response.headers.get("sidesocket-code") ?? "(none)";
  return [{ type: "failed", code, sent: (response.headers.get("sidesocket-sent") as Sent | null) ?? undefined }];
}

const single = {
  batchAtMost: 1,
  path: (upstream: string) => `/v1/upstreams/${upstream}/request`,
};

/** Replies of two frames with ids, of which many are gathered at a time. */
const parts: Dialect = {
  ...single,
  settings: {
    protocol: {
      preset: "json",
      id: { kind: "string" },
      skip: [{ match: { "/type": "ack" } }],
      final: [{ match: { "/type": "done" } }],
      collect: { frames: 2 },
    },
  },
  contentType: "application/json",
  body: ([n]) => JSON.stringify({ id: ID, n }),
  read: (response, [n]) => {
    const own = JSON.stringify(["part", "done"].map((type) => ({ id: ID, type, n })));
    return readOne(response, (text) => text === own);
  },
};

/** Replies of one or two frames without ids, one request at a time. */
const lane: Dialect = {
  ...single,
  settings: {
    protocol: { preset: "text", reply: "^[+-]", skip: ["^[+]WAIT"], final: ["^[+]OK", "^-"], collect: { frames: 2 } },
  },
  contentType: "text/plain",
  body: ([n]) => `get ${n}`,
  read: (response, [n]) => readOne(response, (text) => text === `+DATA ${n}\n+OK ${n}` || text === `-NO ${n}`),
};

export const dialects = { rpc, bundles, parts, lane };

export type DialectName = keyof typeof dialects;

export const dialectNames = Object.keys(dialects) as readonly DialectName[];
