/** Debian's `mopidy`, a music server, which plays into nothing here, with its JSON-RPC over WebSocket and HTTP. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { findOnPath } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";

export interface Mopidy {
  readonly url: string;
  readonly port: number;
  readonly child: Child;
  /** Calls a method over Mopidy's own HTTP. */
  call(method: string, params?: readonly unknown[]): Promise<unknown>;
}

/** @param given the port; a free one by default */
export async function startMopidy(t: Cleanup, given?: number): Promise<Mopidy> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-mopidy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const port = given ?? (await freePort());
  const off = ["file", "mpd", "stream"].map((extension) => `[${extension}]\nenabled = false\n`).join("");
  const config = join(folder, "mopidy.conf");
  const folders = `cache_dir = ${folder}/cache\nconfig_dir = ${folder}/config\ndata_dir = ${folder}/data\n`;
  const http = `[http]\nhostname = 127.0.0.1\nport = ${port}\n`;
  await writeFile(config, `[core]\n${folders}[audio]\noutput = fakesink\n${http}${off}`);
  const child = await Child.start({ command: findOnPath("mopidy"), args: ["--config", config], env: process.env, t });
  await child.until(() => /HTTP server running/.test(child.output()), { within: 30_000, what: "Mopidy" });
  const call = async (method: string, params: readonly unknown[] = []): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}/mopidy/rpc`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    return ((await response.json()) as { readonly result: unknown }).result;
  };
  return { url: `ws://127.0.0.1:${port}/mopidy/ws`, port, child, call };
}
