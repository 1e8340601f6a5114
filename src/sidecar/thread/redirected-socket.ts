/** A socket whose attempt follows the redirects that the configuration allows. */

import type { Disconnect } from "../../core/connection/disconnect.ts";
import { redirectOf } from "../../core/connection/redirect.ts";
import { forwardedSocket } from "./forwarded-socket.ts";
import { openSocket, type Socket, type SocketEvents, type SocketTarget } from "./socket.ts";

/** One deadline covers all of the attempt. Until it is open, the returned socket is one that is not open yet. */
export function openRedirected(target: SocketTarget, events: SocketEvents): Socket {
  const { settings, withinMs } = target;
  if (settings.redirects.length === 0) return openSocket(target, events);
  const until = performance.now() + withinMs;
  let url = target.url ?? settings.url;
  let followed = 0;
  let isLeft = false;

  const dropped = (given: Disconnect): void => {
    const drop = followed === 0 ? given : inFull(given, url);
    const next = isLeft ? undefined : redirectOf(drop, url, followed, settings);
    if (next === undefined) events.dropped(drop.reason === "timeout" ? { ...drop, withinMs } : drop);
    else if ("why" in next) events.dropped(drop.reason === "status" ? { ...drop, unfollowed: next.why } : drop);
    else {
      followed++;
      url = next.url;
      target.onRedirect?.(url);
      socket = open();
    }
  };
  const open = () =>
    openSocket({ ...target, url, withinMs: Math.max(1, until - performance.now()) }, { ...events, dropped });
  let socket = open();

  const leave = (): void => {
    isLeft = true;
  };
  return forwardedSocket(() => socket, leave);
}

/** A location is shown as it is from the address that gave it. */
function inFull(drop: Disconnect, url: string): Disconnect {
  if (drop.reason !== "status" || drop.location === undefined || !URL.canParse(drop.location, url)) return drop;
  return { ...drop, location: new URL(drop.location, url).href };
}
