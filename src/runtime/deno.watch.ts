/** A watch over Deno's listener, which never accepts again after it ran out of descriptors, and reports nothing. */

import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";

/** The time without a new connection after which we make one ourselves, in milliseconds. */
const QUIET_MS = 5_000;
/** The connections in a row that must not have arrived: one may be late on a busy machine. */
const MISSED_MAX = 3;

/** Calls `onDeaf` once if the server does not accept connections any more. */
export function watchAccepting(server: Server, onDeaf: () => void): void {
  let accepted = true;
  let missed = 0;
  const probe = () => {
    const place = server.address() as AddressInfo | string;
    // It ends with the timer of the next round; what it meets on the way proves nothing.
    const to = typeof place === "string" ? { path: place } : { host: place.address, port: place.port };
    const socket = connect(to).on("error", () => {});
    socket.on("connect", () => {
      missed++;
      socket.end();
    });
    setTimeout(() => socket.destroy(), QUIET_MS - 1).unref();
  };
  const timer = setInterval(() => {
    if (accepted) missed = 0;
    if (missed >= MISSED_MAX) {
      clearInterval(timer);
      onDeaf();
      return;
    }
    if (!accepted && server.listening) probe();
    accepted = false;
  }, QUIET_MS).unref();
  server.on("connection", () => {
    accepted = true;
  });
  server.on("close", () => clearInterval(timer));
}
