/** Debian's `janus`, with its WebSocket transport and one plugin. */

import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { findOnPath } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";

export interface Janus {
  readonly url: string;
  readonly port: number;
  readonly child: Child;
}

export interface JanusOptions {
  readonly t: Cleanup;
  readonly secret: string;
  /** A free one by default. */
  readonly port?: number;
}

const PLUGIN = "libjanus_videoroom.so";
const TRANSPORT = "libjanus_websockets.so";

/** The folder of Debian's architecture that has the plugins. */
function libraries(): string {
  const lib = "/usr/lib";
  const found = readdirSync(lib).find((name) => {
    try {
      return readdirSync(join(lib, name, "janus", "plugins")).includes(PLUGIN);
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`no ${PLUGIN} in ${lib}`);
  return join(lib, found, "janus");
}

const disabled = (folder: string, but: string): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".so") && name !== but)
    .join(",");

export async function startJanus({ t, secret, port: given }: JanusOptions): Promise<Janus> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-janus-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const port = given ?? (await freePort());
  const [plugins, transports] = [join(libraries(), "plugins"), join(libraries(), "transports")];
  const general = `api_secret = "${secret}"; plugins_folder = "${plugins}"; transports_folder = "${transports}";
    events_folder = "${folder}"; loggers_folder = "${folder}"; configs_folder = "${folder}";`;
  await writeFile(
    join(folder, "janus.jcfg"),
    `general: { ${general} }
plugins: { disable = "${disabled(plugins, PLUGIN)}" }
transports: { disable = "${disabled(transports, TRANSPORT)}" }
`,
  );
  await writeFile(
    join(folder, "janus.transport.websockets.jcfg"),
    `general: { json = "compact"; ws = true; ws_port = ${port}; ws_ip = "127.0.0.1"; wss = false; }\n`,
  );
  const args = [`--configs-folder=${folder}`];
  const child = await Child.start({ command: findOnPath("janus"), args, cwd: dirname(folder), env: process.env, t });
  await child.until(() => /WebSockets thread started/.test(child.output()), { what: "Janus" });
  return { url: `ws://127.0.0.1:${port}/`, port, child };
}
