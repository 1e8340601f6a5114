/** The file of a Unix socket that a server listens on. */

import { chmodSync, lstatSync, mkdirSync, renameSync, rmdirSync, type Stats, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface SocketFile {
  /** Absolute. */
  readonly path: string;
  /** The permissions of the file: only who may write to it may connect. */
  readonly mode: number;
}

/** An error with the system's code, and with its cure where the code alone does not tell it. */
export interface SocketFileError extends NodeJS.ErrnoException {
  readonly cure?: string;
}

/** Time after which a folder in which nothing changes was left behind by a process, in milliseconds. */
const LEFT_AFTER_MS = 1_000;
/** The longest wait for other processes that start on the same path, in milliseconds. */
const TURN_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 20;

const UNREACHABLE =
  "a socket that this user may not connect to is there, perhaps of another user: " +
  "remove it, if its process has ended, or choose another path";

/**
 * The place beside its path where a socket is made. Only this user may enter the folder, so that nobody connects before
 * the file has its mode; and only one process can make it, which then may put a socket onto the path.
 */
export function birthplaceOf(path: string): { readonly folder: string; readonly socket: string } {
  const folder = `${path}.new`;
  return { folder, socket: `${folder}/s` };
}

/**
 * Listens on a socket. The file of a process that has ended is replaced, that of one which lives is not.
 * @returns what removes the file, unless it has become that of another process; call it before the server is closed
 * @throws an error with the system's code: EADDRINUSE if a process listens there, EEXIST for another kind of file
 */
export async function listenOnFile(server: Server, { path, mode }: SocketFile, backlog: number): Promise<() => void> {
  const { socket } = birthplaceOf(path);
  let own = "";
  await makeFolder(path);
  try {
    const found = versionOf(path);
    if (found !== undefined && (await isListenedOn(path))) throw faultOf(path, "EADDRINUSE");
    const listening = new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.once("listening", resolve);
    });
    // Binds now. The system removes the file of this name when the server is closed, whosever it is by then.
    server.listen({ path: socket, backlog });
    if (server.listening) {
      chmodSync(socket, mode);
      own = identityOf(lstatSync(socket));
      // Another program may have taken the path meanwhile.
      if (versionOf(path) !== found) throw faultOf(path, "EADDRINUSE");
      renameSync(socket, path);
    }
    await listening;
  } catch (error) {
    server.close();
    throw error;
  } finally {
    removeFolder(path);
  }
  return () => {
    try {
      if (identityOf(lstatSync(path)) === own) unlinkSync(path);
    } catch {
      // A file that is left is replaced by the next start.
    }
  };
}

/** Waits until no other process makes a socket for this path. What a process has left behind is removed. */
async function makeFolder(path: string): Promise<void> {
  const { folder } = birthplaceOf(path);
  const until = performance.now() + TURN_WITHIN_MS;
  let seen: string | undefined;
  let since = 0;
  for (let now = performance.now(); now < until; now = performance.now()) {
    try {
      return mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const stats = statsOf(folder);
    if (stats === undefined) continue;
    // A link would lead to files of others.
    if (!stats.isDirectory()) throw inTheWay(path, "EEXIST");
    const found = `${identityOf(stats)} ${stats.ctimeMs}`;
    if (found !== seen) [seen, since] = [found, now];
    else if (now - since > LEFT_AFTER_MS) removeFolder(path);
    await delay(LOOK_EVERY_MS);
  }
  throw faultOf(path, "EADDRINUSE", "other processes keep starting there: end them, or choose another path");
}

/** @throws an error with its cure if something else is in its place */
function removeFolder(path: string): void {
  const { folder, socket } = birthplaceOf(path);
  try {
    if (statsOf(socket)) unlinkSync(socket);
    rmdirSync(folder);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw inTheWay(path, code);
  }
}

function inTheWay(path: string, code: string): SocketFileError {
  return faultOf(path, code, `${birthplaceOf(path).folder} is in the way: remove it`);
}

/** @returns undefined if there is no file */
function versionOf(path: string): string | undefined {
  const stats = statsOf(path);
  if (stats !== undefined && !stats.isSocket()) throw faultOf(path, "EEXIST");
  return stats && `${identityOf(stats)} ${stats.ctimeMs}`;
}

/** The file, wherever it is moved: its number is not given away while a process listens on it. */
function identityOf({ dev, ino }: Stats): string {
  return `${dev} ${ino}`;
}

/** @returns undefined if there is no file */
function statsOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** True unless it is certain that no process listens: the system answers at once. */
async function isListenedOn(path: string): Promise<boolean> {
  const socket = connect({ path });
  const code = await new Promise<string | undefined>((resolve) => {
    socket.once("connect", () => resolve(undefined));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.destroy();
  if (code === "EACCES" || code === "EPERM") throw faultOf(path, code, UNREACHABLE);
  return code !== "ECONNREFUSED" && code !== "ENOENT";
}

function faultOf(path: string, code: string, cure?: string): SocketFileError {
  return Object.assign(new Error(`listen ${code}: ${path}`), { code, ...(cure !== undefined && { cure }) });
}
