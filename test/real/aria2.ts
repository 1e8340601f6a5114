/** aria2, a download manager, whose JSON-RPC is on one port over WebSocket and HTTP. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { findOnPath } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";

export interface Aria2 {
  readonly url: string;
  readonly port: number;
  readonly child: Child;
  /** Calls a method over aria2's own HTTP. */
  call(method: string, ...params: readonly unknown[]): Promise<unknown>;
}

export interface Aria2Options {
  readonly t: Cleanup;
  readonly secret: string;
  /** A free one by default. */
  readonly port?: number;
}

export async function startAria2({ t, secret, port: given }: Aria2Options): Promise<Aria2> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-aria2-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const port = given ?? (await freePort());
  const rpc = ["--enable-rpc", `--rpc-listen-port=${port}`, `--rpc-secret=${secret}`];
  const args = [...rpc, "--no-conf", "--quiet", "--enable-dht=false", `--dir=${folder}`];
  const child = await Child.start({ command: findOnPath("aria2c"), args, env: process.env, t });
  const call = async (method: string, ...params: readonly unknown[]): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: "h", method, params: [`token:${secret}`, ...params] });
    const response = await fetch(`http://127.0.0.1:${port}/jsonrpc`, { method: "POST", body });
    return ((await response.json()) as { readonly result: unknown }).result;
  };
  await until(() => call("aria2.getVersion").catch(() => undefined), { what: () => `aria2 ${child.output()}` });
  return { url: `ws://127.0.0.1:${port}/jsonrpc`, port, child, call };
}
