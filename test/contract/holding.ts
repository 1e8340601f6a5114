/** An upstream that holds its replies to `hold` until the test releases them, and counts the calls. */

import type { Cleanup } from "../support/until.ts";
import { type Message, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { answerJsonRpc } from "../support/upstream-methods.ts";

export const call = (method: string, params: unknown = [], id: unknown = "mine") => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});

export interface Holding {
  readonly upstream: Upstream;
  /** Answers every call to `hold` that has this mark in its params. */
  release(mark: string): void;
  /** Waits until `count` calls with this mark in their params have come up, and resolves with their number. */
  came(mark: string, count?: number): Promise<number>;
  count(mark: string): number;
}

export async function startHolding(t?: Cleanup, port = 0): Promise<Holding> {
  const held: { readonly mark: string; readonly id: number; readonly connection: UpstreamConnection }[] = [];
  const onMessage = (message: Message, connection: UpstreamConnection): void => {
    const { id, method, params } = JSON.parse(String(message));
    if (method === "hold") held.push({ mark: params[0], id, connection });
    else answerJsonRpc(message, connection);
  };
  const upstream = await startUpstream({ onMessage, port, ...(t && { t }) });
  const count = (mark: string): number => upstream.texts.filter((text) => text.includes(JSON.stringify(mark))).length;
  return {
    upstream,
    release(mark) {
      for (const one of held) {
        if (one.mark === mark) one.connection.send({ jsonrpc: "2.0", id: one.id, result: `released ${mark}` });
      }
    },
    count,
    async came(mark, wanted = 1) {
      await upstream.until(() => count(mark) >= wanted);
      return count(mark);
    },
  };
}

/** The reply that `release` sends to the caller. */
export const released = (mark: string): string => `{"jsonrpc":"2.0","id":"mine","result":"released ${mark}"}`;
