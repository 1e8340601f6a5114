/** A Nostr relay, written from the public format (NIP-01, 45), which checks signatures with npm's `nostr-tools`. */

import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";

export interface NostrEvent {
  readonly id: string;
  readonly kind: number;
  readonly content: string;
}

interface Filter {
  readonly kinds?: readonly number[];
  readonly limit?: number;
}

/** Keeps what has a good signature; refuses to show events of kind 4. */
export async function startRelay(t: Cleanup, verify: (event: NostrEvent) => boolean): Promise<Upstream> {
  const stored: NostrEvent[] = [];
  const open = new Map<UpstreamConnection, Map<string, Filter>>();
  const fits = ({ kinds }: Filter, { kind }: NostrEvent) => kinds === undefined || kinds.includes(kind);

  function publish(event: NostrEvent, connection: UpstreamConnection): void {
    const isGood = verify(event);
    connection.send(["OK", event.id, isGood, isGood ? "" : "invalid: bad signature"]);
    if (!isGood) return;
    stored.push(event);
    for (const each of relay.live) {
      for (const [id, filter] of open.get(each) ?? []) if (fits(filter, event)) each.send(["EVENT", id, event]);
    }
  }

  function request(id: string, filter: Filter, connection: UpstreamConnection): void {
    if (filter.kinds?.includes(4)) {
      connection.send(["CLOSED", id, "restricted: not for you"]);
      return;
    }
    const opened = open.get(connection) ?? new Map<string, Filter>();
    open.set(connection, opened.set(id, filter));
    const newest = stored.filter((event) => fits(filter, event)).reverse();
    for (const event of newest.slice(0, filter.limit)) connection.send(["EVENT", id, event]);
    connection.send(["EOSE", id]);
  }

  const onMessage = (text: unknown, connection: UpstreamConnection) => {
    const [kind, subject, filter] = JSON.parse(String(text));
    if (kind === "EVENT") publish(subject, connection);
    else if (kind === "REQ") request(subject, filter, connection);
    else if (kind === "CLOSE") open.get(connection)?.delete(subject);
    else if (kind === "COUNT") connection.send(["COUNT", subject, { count: stored.length }]);
    else connection.send(["NOTICE", "unknown message"]);
  };
  const relay = await startUpstream({ t, onMessage });
  return relay;
}
