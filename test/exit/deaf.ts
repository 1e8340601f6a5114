/** Silent peers below HTTP: TCP that never answers a SYN, and a DNS server that never answers a question. */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { written } from "../contract/files.ts";
import { Child } from "../support/child.ts";
import { nameserverHost } from "../support/free-port.ts";
import { denoPath, nodePath, runtime } from "../support/root.ts";
import { type Cleanup, delay } from "../support/until.ts";

const LISTENER = `
import { createServer } from "node:net";
const where = { port: 0, host: "127.0.0.1", backlog: 1 };
const server = createServer().listen(where, () => console.log(server.address().port));
`;

/** Opens a port whose backlog is full and whose owner is stopped: the kernel drops every further SYN. */
export async function startDeafPort(t: Cleanup): Promise<number> {
  const [command, args] =
    runtime === "node" ? [nodePath(), ["--input-type=module", "-e", LISTENER]] : [denoPath(), ["eval", LISTENER]];
  const owner = await Child.start({ command, args, t });
  const port = Number(await owner.until(() => /^\d+$/m.exec(owner.stdout)?.[0], { what: "the port" }));
  owner.signal("SIGSTOP");
  for (let queued = 0; queued < 5_000; queued += 1) {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    t.after(async () => void socket.destroy());
    const connected = await Promise.race([once(socket, "connect").then(() => true), delay(200).then(() => false)]);
    if (!connected) return port;
  }
  throw new Error("the backlog never filled up");
}

/**
 * Builds the wrapper that runs the product with a silent name server, or the reason why this machine cannot: port 53
 * and a mount namespace require root.
 */
export async function silentDns(
  t: Cleanup,
): Promise<{ readonly wrapper: readonly string[] } | { readonly skip: string }> {
  const host = nameserverHost();
  const socket = createSocket("udp4");
  const bound = await new Promise<boolean>((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind(53, host, () => resolve(true));
  });
  if (!bound) return { skip: `port 53 of ${host} is not available here` };
  t.after(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  const file = await written(t, "resolv.conf", `nameserver ${host}\n`);
  const script = `mount --bind ${file} /etc/resolv.conf && exec "$@"`;
  const wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
  const [command = "", ...args] = [...wrapper, "true"];
  const tried = spawnSync(command, args);
  return tried.status === 0 ? { wrapper } : { skip: "a mount namespace is not available here" };
}
