/** A sidecar for a program that blocks all the time: started, called and ended without a turn of the event loop. */

import { Keeper } from "../keeper.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";
import type { Line } from "../sidecar/line.ts";
import type { UpstreamState } from "../sidecar/reports.ts";
import type { UpstreamMessage } from "../sidecar/upstream-message.ts";
import {
  type BlockingMessagesOptions,
  type BlockingRequestOptions,
  type BlockingRpcOptions,
  type BlockingSendOptions,
  type BlockingSubscribeOptions,
  type BlockingUpstream,
  LineUpstream,
} from "../sync.ts";
import type { RpcParams, SubscriptionOrder } from "./async-upstream.ts";
import type { BlockingSubscription } from "./blocking-subscription.ts";
import type { SidecarExitOptions } from "./ending.ts";
import type { UnsubscribeOptions } from "./message-subscription.ts";
import { demandKnown } from "./option-names.ts";
import type { ReplyAs, ReplyForm } from "./pending-reply.ts";
import type { Sendable } from "./sendable.ts";
import type { KeptOptions } from "./sidecar-options.ts";

export class BlockingSidecar implements BlockingUpstream {
  readonly #keeper: Keeper;
  readonly #line: LineUpstream;
  readonly #onEnd = () => this.exitSync({ cause: "the program ended" });
  #report: ExitReport | undefined;

  constructor(options: KeptOptions) {
    this.#keeper = new Keeper(options);
    this.#line = new LineUpstream(this.#keeper.line);
    // At the end of the program the upstream is left by a close handshake, not by a broken connection.
    process.once("exit", this.#onEnd);
  }

  requestSync<As extends ReplyForm = "frame">(message: Sendable, options?: BlockingRequestOptions<As>): ReplyAs<As> {
    return this.#line.requestSync(message, options);
  }

  rpcSync<Result = unknown>(method: string, params?: RpcParams, options?: BlockingRpcOptions): Result {
    return this.#line.rpcSync<Result>(method, params, options);
  }

  sendSync(message: Sendable, options?: BlockingSendOptions): void {
    this.#line.sendSync(message, options);
  }

  messagesSync(options?: BlockingMessagesOptions): Generator<UpstreamMessage, void> {
    return this.#line.messagesSync(options);
  }

  subscribeSync(order: SubscriptionOrder, options?: BlockingSubscribeOptions): BlockingSubscription {
    return this.#line.subscribeSync(order, options);
  }

  unsubscribeSync(name: string, options?: UnsubscribeOptions): void {
    this.#line.unsubscribeSync(name, options);
  }

  /** The current state of the connection. */
  get state(): UpstreamState & { readonly since: Date } {
    return this.#keeper.ask("state").state;
  }

  /** Makes a line for another thread: see {@link attach} of `sidesocket/sync`. */
  line(): Line {
    return this.#keeper.ask("line").line;
  }

  /** Runs the exit protocol and returns its report: once, however often it is called. */
  exitSync(options: SidecarExitOptions = {}): ExitReport {
    demandKnown(options, { cause: true, force: true }, "exitSync");
    const { cause = "exitSync()", force = false } = options;
    process.off("exit", this.#onEnd);
    this.#report ??= this.#keeper.exit(cause, force);
    return this.#report;
  }

  close(): void {
    this.exitSync({ cause: "close()" });
  }

  [Symbol.dispose](): void {
    this.exitSync({ cause: "dispose" });
  }
}
