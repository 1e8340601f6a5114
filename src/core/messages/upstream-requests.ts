/** The upstream's own requests among its messages, and what became of the replies that they want. */
import type { Failure } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";

/** `wanted`: nobody has replied so far. `given`: somebody has. `lost`: nobody can, for its connection has ended. */
export type ReplyState = "wanted" | "given" | "lost";

/** The end of a connection at the upstream, which all requests that came over it share. */
interface Peer {
  isThere: boolean;
}

/** A request of the upstream's, which several journals may have. */
export class UpstreamRequest {
  readonly connection: number;
  readonly #peer: Readonly<Peer>;
  #isReplied = false;

  constructor(connection: number, peer: Readonly<Peer>) {
    this.connection = connection;
    this.#peer = peer;
  }

  get reply(): ReplyState {
    if (this.#isReplied) return "given";
    return this.#peer.isThere ? "wanted" : "lost";
  }

  markReplied(): void {
    this.#isReplied = true;
  }
}

/** Pure. Keeps nothing of the requests themselves: they live as long as their messages. */
export class UpstreamRequests {
  readonly #peers = new Map<number, Peer>();

  /** A request that came over this connection. */
  on(connection: number): UpstreamRequest {
    const peer = this.#peers.get(connection) ?? { isThere: true };
    this.#peers.set(connection, peer);
    return new UpstreamRequest(connection, peer);
  }

  onLost(connection: number): void {
    const peer = this.#peers.get(connection);
    if (peer) peer.isThere = false;
    this.#peers.delete(connection);
  }
}

/** A request of the upstream's with its message as it is kept. */
export interface KeptRequest {
  readonly request: UpstreamRequest;
  readonly data: Body;
}

/** `unknown`: there is no message in this place. `dropped`: no longer. `plain`: it wants no reply. */
export type NoRequest = "unknown" | "dropped" | "plain";

/** The failures of replies, by what stands in their way. */
export const unrepliable: Readonly<Record<NoRequest | Exclude<ReplyState, "wanted">, Failure>> = {
  unknown: { code: "not_found", sent: "no", detail: "there is no message with this cursor" },
  dropped: { code: "gone", sent: "no", detail: "the message is not kept any more, so nobody can reply to it" },
  plain: { code: "mismatch", sent: "no", detail: "the message wants no reply: use /send to send something else" },
  given: { code: "conflict", sent: "no", detail: "the upstream has a reply to this message already" },
  lost: { code: "gone", sent: "no", detail: "the connection that the upstream's request came over has ended" },
};
