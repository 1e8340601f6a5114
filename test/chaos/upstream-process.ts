/** A handle on the chaos upstream: starts its process and sets its mood. */
import { join } from "node:path";
import { Child } from "../support/child.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import type { DialectName } from "./dialects.ts";
import type { Deed, Mood, Stats } from "./moods.ts";

export interface UpstreamProcessOptions {
  readonly seed?: number;
  /** `rpc` by default. */
  readonly dialect?: DialectName;
  readonly t?: Cleanup;
}

export class UpstreamProcess {
  readonly port: number;
  readonly child: Child;
  readonly #control: string;

  private constructor(child: Child, port: number, control: number) {
    this.child = child;
    this.port = port;
    this.#control = `http://127.0.0.1:${control}/`;
  }

  static async start(options: UpstreamProcessOptions = {}): Promise<UpstreamProcess> {
    const seed = String(options.seed ?? 1);
    const [command, ...args] =
      runtime === "node"
        ? [nodePath(), join(root, "build", "test", "chaos", "upstream.js")]
        : [denoPath(), "run", "--quiet", "--allow-all", "--no-check", join(root, "test", "chaos", "upstream.ts")];
    const child = await Child.start({
      command: command as string,
      args: [...args, seed, options.dialect ?? "rpc"],
      t: options.t,
    });
    const line = await child.until(() => /^(\{.*\})\n/.exec(child.stdout)?.[1], { within: 20_000, what: "its ports" });
    const { port, control } = JSON.parse(line) as { readonly port: number; readonly control: number };
    return new UpstreamProcess(child, port, control);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  async carryOut(deed: Deed): Promise<void> {
    await this.#send("", JSON.stringify(deed));
  }

  mood(mood: Mood): Promise<void> {
    return this.carryOut({ do: "mood", mood });
  }

  async stats(): Promise<Stats> {
    return (await (await this.#send("", "")).json()) as Stats;
  }

  /** Reads how often each numbered request reached the upstream. */
  async received(): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#send("received", "")).arrayBuffer());
  }

  #send(path: string, body: string): Promise<Response> {
    return fetch(this.#control + path, { method: "POST", body, signal: AbortSignal.timeout(20_000) });
  }
}

export function startUpstreamProcess(options: UpstreamProcessOptions = {}) {
  return UpstreamProcess.start(options);
}
