/** RabbitMQ of Debian with its plugin for STOMP over WebSockets, which takes some seconds to start. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import type { Cleanup } from "../support/until.ts";

const LIBRARY = "/usr/lib/rabbitmq/lib";

export interface RabbitMq {
  readonly url: string;
  restart(): Promise<void>;
}

export async function startRabbitMq(t: Cleanup): Promise<RabbitMq> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-rabbitmq-"));
  const [port, distribution] = [await freePort(), await freePort()];
  await writeFile(join(folder, "plugins"), "[rabbitmq_web_stomp].");
  const listeners = [
    `web_stomp.tcp.listener = 127.0.0.1:${port}`,
    "stomp.listeners.tcp = none",
    "listeners.tcp = none",
  ];
  await writeFile(join(folder, "rabbitmq.conf"), `${listeners.join("\n")}\n`);
  const [server = ""] = await readdir(LIBRARY);
  const env = {
    ...process.env,
    HOME: folder,
    RABBITMQ_NODENAME: `sidesocket${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_BASE: folder,
    RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
    RABBITMQ_LOGS: "-",
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_PID_FILE: join(folder, "pid"),
  };
  const start = async (): Promise<Child> => {
    const child = await Child.start({ command: join(LIBRARY, server, "sbin", "rabbitmq-server"), args: [], env });
    await child.until(() => /Server startup complete/.test(child.output()), { within: 60_000, what: "RabbitMQ" });
    return child;
  };
  let child = await start();
  t.after(async () => {
    // Not killed: the shell is the parent of the server.
    await child.stop("SIGTERM", 30_000);
    await rm(folder, { recursive: true, force: true });
  });
  const restart = async () => {
    await child.stop("SIGTERM", 30_000);
    child = await start();
  };
  return { url: `ws://127.0.0.1:${port}/ws`, restart };
}
