/** The file of a Unix socket that a server listens on. */

import { chmodSync } from "node:fs";
import { lstat, stat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";

export interface SocketFile {
  /** Absolute. */
  readonly path: string;
  /** The permissions of the file: only who may write to it may connect. */
  readonly mode: number;
}

/**
 * Listens on a socket. The file of a process that has ended is replaced, that of one which lives is not.
 * @throws an error with the system's code: EADDRINUSE if a process listens there, EEXIST for another kind of file
 */
export async function listenOnFile(server: Server, { path, mode }: SocketFile, backlog: number): Promise<void> {
  await removeStale(path);
  await demandFolder(path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // Called before the first connection is accepted.
    server.listen({ path, backlog }, () => {
      try {
        chmodSync(path, mode);
        resolve();
      } catch (error) {
        server.close();
        reject(error);
      }
    });
  });
}

/** The system reports a missing folder as one that may not be written to. */
async function demandFolder(path: string): Promise<void> {
  await stat(dirname(path)).catch(({ code }: NodeJS.ErrnoException) => {
    if (code === "ENOENT") throw faultOf(path, code);
  });
}

async function removeStale(path: string): Promise<void> {
  const found = await identityOf(path);
  if (found === undefined) return;
  // Another process that starts may have replaced it meanwhile.
  if ((await isListenedOn(path)) || (await identityOf(path)) !== found) throw faultOf(path, "EADDRINUSE");
  await unlink(path);
}

/** @returns undefined if there is no file */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const stats = await lstat(path);
    if (!stats.isSocket()) throw faultOf(path, "EEXIST");
    return `${stats.dev} ${stats.ino} ${stats.ctimeMs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** True unless it is certain that no process listens: the system answers at once. */
async function isListenedOn(path: string): Promise<boolean> {
  const socket = connect({ path });
  const code = await new Promise<string | undefined>((resolve) => {
    socket.once("connect", () => resolve(undefined));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.destroy();
  return code !== "ECONNREFUSED" && code !== "ENOENT";
}

function faultOf(path: string, code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`listen ${code}: ${path}`), { code });
}
