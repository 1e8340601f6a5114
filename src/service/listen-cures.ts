/** The cures of the errors with which the system refuses to let us listen. */

import { ConfigError } from "../config/problems.ts";
import type { SocketFileError } from "../net/socket-file.ts";
import { codeOf } from "../secrets/secret-file.ts";

/** The settings that mend it, as the user gives them. */
interface ListenNames {
  readonly host: string;
  readonly port: string;
}

/** @returns undefined for an error that has no cure of ours */
export function listenCure(code: string | undefined, { host, port }: ListenNames): string | undefined {
  const cures: Readonly<Record<string, string>> = {
    EADDRINUSE: `end the program that listens there, perhaps this service, or choose another port (${port})`,
    EACCES: `choose a port above 1023 (${port})`,
    EADDRNOTAVAIL: `choose an address of this machine (${host})`,
  };
  return cures[code ?? ""];
}

/** @returns undefined for an error that has no cure of ours */
export function socketCure(code: string | undefined): string | undefined {
  const cures: Readonly<Record<string, string>> = {
    EADDRINUSE: "end the process that listens there, perhaps this service, or choose another path",
    EEXIST: "a file that is no socket is there: choose another path, or move it away",
    EACCES: "choose a folder that this user may write to",
    EPERM: "choose a folder that this user may write to",
    EROFS: "choose a folder that can be written to",
    ENOENT: "create its folder",
    ENOTDIR: "choose a path below a folder",
  };
  return cures[code ?? ""];
}

/** The error with which a start ends that cannot listen on its socket. */
export function socketFault(path: string, error: unknown): ConfigError {
  const { code, cure = socketCure(code) } = error as SocketFileError;
  const what = `listen.path: ${path} cannot be listened on (${codeOf(error)})`;
  return new ConfigError(cure === undefined ? what : `${what}: ${cure}`, { cause: error });
}
