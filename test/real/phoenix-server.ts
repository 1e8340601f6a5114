/**
 * A server of Phoenix channels, written from the public format: versions 1 and 2 of the messages, joins that are
 * refused, a channel that crashes. npm's own client is tried on it beside the preset.
 */
import type { IncomingMessage } from "node:http";
import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";

interface Message {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

const paramsOf = (path = "/"): URLSearchParams => new URL(path, "http://server").searchParams;

const isVersion2 = (connection: UpstreamConnection): boolean => paramsOf(connection.path).get("vsn") === "2.0.0";

function readMessage(text: string, isArray: boolean): Message {
  const parsed = JSON.parse(text);
  if (!isArray) return { joinRef: null, ...parsed };
  const [joinRef, ref, topic, event, payload] = parsed;
  return { joinRef, ref, topic, event, payload };
}

/** Lets in whoever has the token `right`. */
export async function startPhoenix(t: Cleanup): Promise<Upstream> {
  const members = new WeakMap<UpstreamConnection, Map<string, string | null>>();

  function send(connection: UpstreamConnection, { joinRef, ref, topic, event, payload }: Message): void {
    const isArray = isVersion2(connection);
    connection.send(isArray ? [joinRef, ref, topic, event, payload] : { topic, event, payload, ref });
  }

  const onMessage = (text: unknown, connection: UpstreamConnection) => {
    const message = readMessage(String(text), isVersion2(connection));
    const { joinRef, topic, event, payload } = message;
    const joined = members.get(connection) ?? new Map<string, string | null>();
    members.set(connection, joined);
    const reply = (status: string, response: unknown) =>
      send(connection, { ...message, event: "phx_reply", payload: { status, response } });
    if (topic === "phoenix") return reply("ok", {});
    if (event === "phx_join") {
      if (topic !== "room:lobby") return reply("error", { reason: "unauthorized" });
      joined.set(topic, joinRef);
      return reply("ok", {});
    }
    if (!joined.has(topic)) return reply("error", { reason: "unmatched topic" });
    if (event === "phx_leave") {
      joined.delete(topic);
      return reply("ok", {});
    }
    if (event === "crash") {
      const ref = joined.get(topic) ?? null;
      joined.delete(topic);
      return send(connection, { joinRef: ref, ref, topic, event: "phx_error", payload: {} });
    }
    reply("ok", payload);
    for (const each of upstream.live) {
      if (members.get(each)?.has(topic)) send(each, { joinRef: null, ref: null, topic, event, payload });
    }
  };

  const refuse = ({ url }: IncomingMessage) => (paramsOf(url).get("token") === "right" ? undefined : 403);
  const upstream = await startUpstream({ t, refuse, onMessage });
  return upstream;
}
