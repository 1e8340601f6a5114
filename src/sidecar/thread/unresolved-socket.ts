/** A socket whose settings must first be resolved. */

import type { Disconnect } from "../../core/connection/disconnect.ts";
import { Unresolved } from "../../secrets/secret-file.ts";
import { forwardedSocket } from "./forwarded-socket.ts";
import { openRedirected } from "./redirected-socket.ts";
import type { AttemptBase, Resolved, ResolveSettings } from "./resolve-placeholders.ts";
import type { Socket, SocketEvents, SocketTarget } from "./socket.ts";

/** Called with the settings of an attempt, before its socket is opened. */
type OnResolved = (resolved: Resolved) => void;

/**
 * Resolves settings, such as a token from a file or a signed URL from the user's function, and then opens a socket with
 * them. One deadline covers both. Until then the returned socket is one that is not open yet.
 */
export function openUnresolved(
  resolve: ResolveSettings,
  base: AttemptBase,
  target: Omit<SocketTarget, "settings" | "url">,
  onResolved: OnResolved,
  events: SocketEvents,
): Socket {
  const { withinMs } = target;
  const began = performance.now();
  const leaving = new AbortController();
  let socket: Socket | undefined;

  const fail = (drop: Disconnect): void => {
    if (leaving.signal.aborted) return;
    clearTimeout(timer);
    leaving.abort();
    events.dropped(drop);
  };
  const timer = setTimeout(() => fail({ reason: "timeout", withinMs }), withinMs);

  resolve(leaving.signal, base).then(
    (resolved) => {
      if (leaving.signal.aborted) return;
      clearTimeout(timer);
      onResolved(resolved);
      const left = Math.max(1, withinMs - (performance.now() - began));
      const dropped = (drop: Disconnect) => events.dropped(drop.reason === "timeout" ? { ...drop, withinMs } : drop);
      const settings = { ...resolved.settings, ...resolved.handshake };
      const attempt = { ...target, settings, url: resolved.handshake?.url, withinMs: left };
      socket = openRedirected(attempt, { ...events, dropped });
    },
    (error: unknown) => {
      const detail = error instanceof Unresolved ? error.message : "they cannot be resolved";
      fail({ reason: "credentials", detail });
    },
  );

  const leave = (): void => {
    if (!socket) queueMicrotask(() => fail({ reason: "closed", code: 1006, text: "" }));
  };
  return forwardedSocket(() => socket, leave);
}
