/** The signs of life of each connection, with which failures say when the upstream was last heard. */

import { ago } from "../util/ago.ts";

/** The times at which something last came over a connection, by the monotonic clock. */
export interface Signs {
  /** When its socket was opened; undefined before that. */
  openedAt?: number | undefined;
  /** When its last frame came, of whatever kind. */
  frameAt?: number | undefined;
  /** When its last pong came. */
  pongAt?: number | undefined;
}

/** Each connection writes its own record, without a look-up for each frame. */
export class SignsOfLife {
  readonly #of = new Map<number, Signs>();

  /** Begins the record of a new connection, for its socket to write. */
  begin(connection: number): Signs {
    const signs: Signs = { openedAt: undefined, frameAt: undefined, pongAt: undefined };
    this.#of.set(connection, signs);
    return signs;
  }

  of(connection: number): Readonly<Signs> | undefined {
    return this.#of.get(connection);
  }

  end(connection: number): void {
    this.#of.delete(connection);
  }
}

/** Says when a peer was last heard that counts as dead. @param pings false if it gets no pings, and so owes no pongs */
export function lastSigns({ openedAt, frameAt, pongAt }: Signs, now: number, pings: boolean): string {
  const never = openedAt === undefined ? "on this connection" : `since it was opened ${ago(now - openedAt)}`;
  if (frameAt === undefined && pongAt === undefined) return `no frame${pings ? " and no pong" : ""} came ${never}`;
  const frame = frameAt === undefined ? `no frame came ${never}` : `the last frame came ${ago(now - frameAt)}`;
  if (pongAt !== undefined) return `${frame}, the last pong ${ago(now - pongAt)}`;
  return pings ? `${frame}, and no pong ${never}` : frame;
}

/** Says what came over a connection since something was sent on it. */
export function signsSince(sentAt: number, { openedAt, frameAt, pongAt }: Signs, now: number): string {
  const pong = pongAt === undefined ? "" : `; the last pong came ${ago(now - pongAt)}`;
  if (frameAt !== undefined && frameAt >= sentAt) return `other frames came, the last ${ago(now - frameAt)}${pong}`;
  if (frameAt !== undefined) return `no frame came since it was sent, the last ${ago(now - frameAt)}${pong}`;
  const opened = openedAt === undefined ? "" : `, nor before on its connection, opened ${ago(now - openedAt)}`;
  return `no frame came since it was sent${opened}${pong}`;
}
