import type { Disconnect } from "../../core/connection/disconnect.ts";
import { type ResolveSettings, Unresolved } from "./resolve-placeholders.ts";
import { openSocket, type Socket, type SocketEvents, type SocketTarget } from "./socket.ts";

/** Told of the settings that an attempt is made with, before its socket is opened. */
type OnResolved = (settings: Awaited<ReturnType<ResolveSettings>>) => void;

/**
 * A socket for which something must be worked out first: a token from a file, a signed URL from the user's function.
 * One deadline over all of it, and until the real socket is there this is one that is not open yet.
 */
export function openUnresolved(
  workOut: ResolveSettings,
  { withinMs, lookup }: Pick<SocketTarget, "withinMs" | "lookup">,
  resolved: OnResolved,
  events: SocketEvents,
): Socket {
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

  workOut(leaving.signal).then(
    (settings) => {
      if (leaving.signal.aborted) return;
      clearTimeout(timer);
      resolved(settings);
      const left = Math.max(1, withinMs - (performance.now() - began));
      socket = openSocket({ settings, withinMs: left, lookup }, events);
    },
    (error: unknown) => {
      const detail = error instanceof Unresolved ? error.message : "they cannot be worked out";
      fail({ reason: "credentials", detail });
    },
  );

  const destroy = (): void => {
    if (socket) socket.destroy();
    else queueMicrotask(() => fail({ reason: "closed", code: 1006, text: "" }));
  };
  return {
    get buffered() {
      return socket?.buffered ?? 0;
    },
    get closedBy() {
      return socket?.closedBy;
    },
    write: (frame) => socket?.write(frame) ?? false,
    ping: (proof) => socket?.ping(proof),
    close: (code, closeWithinMs) => (socket ? socket.close(code, closeWithinMs) : destroy()),
    destroy,
  };
}
