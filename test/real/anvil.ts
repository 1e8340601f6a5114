/** anvil, an Ethereum node: JSON-RPC over WebSocket, and over HTTP on the same port, which makes it its own oracle. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../support/child.ts";
import { type Cleanup, until } from "../support/until.ts";
import { packageFolder } from "./packages.ts";

/** Accounts that anvil derives from its published mnemonic: test money, known to everyone. */
export const ACCOUNTS = [
  "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
  "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
  "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
] as const;

/** The published keys of the first two accounts. */
export const PRIVATE_KEYS = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
] as const;

export const CHAIN_ID = 31_337;

/** npm's platform names; each platform's package holds the binary itself, so no install script is needed. */
function anvilPath(): string {
  const os = process.platform === "win32" ? "win32" : process.platform;
  const cpu = process.arch === "x64" ? "amd64" : process.arch;
  const folder = packageFolder(`@foundry-rs/anvil-${os}-${cpu}`);
  const path = join(folder, "bin", process.platform === "win32" ? "anvil.exe" : "anvil");
  if (!existsSync(path)) throw new Error(`no anvil for ${os}-${cpu}: ${path}`);
  return path;
}

export interface AnvilOptions {
  /** Seconds between blocks. Without it, each transaction makes a block, and nothing changes by itself. */
  readonly blockTime?: number;
  /** A free port by default; otherwise that of an instance that was stopped. */
  readonly port?: number;
  readonly t?: Cleanup;
}

export class Anvil {
  readonly port: number;
  readonly child: Child;

  constructor(child: Child, port: number) {
    this.child = child;
    this.port = port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Posts a body to anvil's own HTTP port and returns the raw response. */
  async post(body: string): Promise<string> {
    const response = await fetch(this.httpUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(10_000),
    });
    return await response.text();
  }

  async stop(): Promise<void> {
    await this.child.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts anvil on a free port and waits until it responds. */
export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const args = ["--host", "127.0.0.1", "--port", String(options.port ?? 0)];
  if (options.blockTime !== undefined) args.push("--block-time", String(options.blockTime));
  const child = await Child.start({ command: anvilPath(), args, env: process.env, t: options.t });
  try {
    const port = await child.until(
      () => {
        if (child.exit !== undefined) throw new Error(`anvil ended ${child.output()}`);
        return /Listening on 127\.0\.0\.1:(\d+)/.exec(child.stdout)?.[1];
      },
      { within: 20_000, what: "anvil to listen" },
    );
    const anvil = new Anvil(child, Number(port));
    const responds = async (): Promise<boolean> =>
      (await anvil.post('{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}').catch(() => "")).includes("0x7a69");
    await until(responds, { within: 10_000, what: "anvil to answer" });
    return anvil;
  } catch (error) {
    await child.kill();
    throw error;
  }
}
