/** A sidecar for a program that blocks all the time: started, called and ended without a turn of the event loop. */

import { Keeper } from "./keeper.ts";
import type { Body } from "./protocols/protocol.ts";
import type { ExitReport } from "./sidecar/exit-report.ts";
import type { Line } from "./sidecar/line.ts";
import type { UpstreamState } from "./sidecar/reports.ts";
import type { UpstreamMessage } from "./sidecar/upstream-message.ts";
import type { KeptOptions } from "./sidecar-options.ts";
import {
  type BlockingMessagesOptions,
  type BlockingRequestOptions,
  type BlockingSendOptions,
  type BlockingUpstream,
  LineUpstream,
} from "./sync.ts";

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

  requestSync(message: Body, options?: BlockingRequestOptions): Body {
    return this.#line.requestSync(message, options);
  }

  sendSync(message: Body, options?: BlockingSendOptions): void {
    this.#line.sendSync(message, options);
  }

  messagesSync(options?: BlockingMessagesOptions): Generator<UpstreamMessage, void> {
    return this.#line.messagesSync(options);
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
  exitSync({ cause = "exitSync()", force = false }: { cause?: string; force?: boolean } = {}): ExitReport {
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
