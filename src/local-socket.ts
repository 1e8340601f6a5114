/** The addresses of Unix sockets on this machine, in the form that `ws` and nginx know. */

/** `ws+unix:` and the path of a socket; behind another colon, the path and the query of the request. */
const FORM = /^ws\+unix:(?:\/\/(?=\/))?(?<socket>\/(?!\/)[^:?#\s]+)(?::(?<path>\/[^?#]*))?(?<query>\?[^#]*)?$/i;

export interface LocalSocket {
  /** The path of the socket. */
  readonly path: string;
  /** The URL of the request that is sent over it. */
  readonly url: string;
}

/** True if a URL is meant as one of a Unix socket. */
export function isLocal(url: string): boolean {
  return /^ws\+unix:/i.test(url);
}

/** @returns undefined for any other URL */
export function localSocketOf(url: string): LocalSocket | undefined {
  const { socket, path = "/", query = "" } = FORM.exec(url)?.groups ?? {};
  return socket === undefined ? undefined : { path: socket, url: `ws://localhost${path}${query}` };
}
