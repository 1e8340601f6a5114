/** Names and addresses that misbehave: hosts files and name servers of a test's own, and addresses that are dead. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { written } from "../contract/files.ts";
import { Child } from "../support/child.ts";
import { denoPath, nodePath, runtime } from "../support/root.ts";
import { type Cleanup, delay } from "../support/until.ts";

/**
 * Builds a wrapper under which names are resolved by these lines of a hosts file and by this name server; undefined
 * without root.
 */
export async function resolving(
  t: Cleanup,
  { hosts, server }: { readonly hosts?: readonly string[]; readonly server?: string },
): Promise<string[] | undefined> {
  const mounts: string[] = [];
  const mount = async (name: string, text: string): Promise<unknown> =>
    mounts.push(`mount --bind ${await written(t, name, text)} /etc/${name}`);
  if (hosts) await mount("hosts", `${hosts.join("\n")}\n`);
  if (server) await mount("resolv.conf", `nameserver ${server}\noptions timeout:2 attempts:1\n`);
  const wrapper = ["unshare", "--mount", "sh", "-c", `${mounts.join(" && ")} && exec "$@"`, "sh"];
  const [command = "", ...args] = [...wrapper, "true"];
  return spawnSync(command, args).status === 0 ? wrapper : undefined;
}

/**
 * Listens and accepts nothing: once its backlog is full, the kernel drops every further SYN. When it goes on, it joins
 * each connection to a port of loopback.
 */
const LISTENER = `import process from "node:process";
import { connect, createServer } from "node:net";
const [host, port, to] = process.argv.slice(2);
const server = createServer((near) => {
  const far = connect(Number(to), "127.0.0.1");
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on("error", () => other.destroy());
    one.pipe(other);
  }
});
server.listen({ host, port: Number(port), backlog: 1 }, () => console.log(server.address().port));`;

const QUEUE_AT_MOST = 5_000;
const SYN_ANSWERED_WITHIN_MS = 400;

export interface DeadAddress {
  readonly port: number;
  /** Lets it accept: the next SYN is answered, which the kernel repeats after a second. */
  readonly release: () => void;
}

/** Makes an address dead: SYN packets to it get no answer. */
export async function deadAddress(t: Cleanup, host = "127.0.0.1", port = 0, forwardTo = 9): Promise<DeadAddress> {
  const file = await written(t, "listener.mjs", LISTENER);
  const own = [host, String(port), String(forwardTo)];
  const [command, args] = runtime === "node" ? [nodePath(), [file]] : [denoPath(), ["run", "--allow-net", file]];
  const child = await Child.start({ command, args: [...args, ...own], t });
  const listening = Number(await child.until(() => /^\d+\n/.exec(child.stdout)?.[0]));
  child.signal("SIGSTOP");
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
  });
  for (let answered = true; answered; ) {
    const socket = connect(listening, host);
    socket.on("error", () => {});
    sockets.push(socket);
    answered = await Promise.race([
      once(socket, "connect").then(() => true),
      delay(SYN_ANSWERED_WITHIN_MS).then(() => false),
    ]);
    assert.ok(sockets.length < QUEUE_AT_MOST, "the backlog never fills");
  }
  return { port: listening, release: () => child.signal("SIGCONT") };
}
