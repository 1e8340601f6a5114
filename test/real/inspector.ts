/** Node's inspector: the Chrome DevTools Protocol of a real Node process, whatever runtime runs the test. */
import process from "node:process";
import { Child } from "../support/child.ts";
import { nodePath } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";

export interface Inspector {
  /** The WebSocket address, with its secret path. */
  readonly url: string;
  readonly child: Child;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts an idle Node process with its inspector open. */
export async function startInspector(options: { readonly t?: Cleanup } = {}): Promise<Inspector> {
  const child = await Child.start({
    command: nodePath(),
    args: ["--inspect=127.0.0.1:0", "-e", "setInterval(() => {}, 1e3)"],
    env: { ...process.env, NODE_OPTIONS: undefined, NODE_V8_COVERAGE: undefined },
    t: options.t,
  });
  try {
    const url = await child.until(
      () => {
        if (child.exit !== undefined) throw new Error(`node --inspect ended ${child.output()}`);
        return /Debugger listening on (ws:\S+)/.exec(child.stderr)?.[1];
      },
      { within: 10_000, what: "the inspector to listen" },
    );
    const stop = (): Promise<void> => child.kill();
    return { url, child, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await child.kill();
    throw error;
  }
}
