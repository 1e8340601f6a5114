/** websocketd: a program that reads and writes lines, started anew for each connection. */
import process from "node:process";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { findOnPath } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";

export async function startWebsocketd(
  program: readonly string[],
  t: Cleanup,
): Promise<{ readonly url: string; readonly child: Child }> {
  const port = await freePort();
  const args = ["--address=127.0.0.1", `--port=${port}`, ...program];
  const child = await Child.start({ command: findOnPath("websocketd"), args, env: process.env, t });
  await child.until(() => /Starting WebSocket server/.test(child.output()), { what: "websocketd to listen" });
  return { url: `ws://127.0.0.1:${port}/`, child };
}
