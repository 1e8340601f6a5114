/** A STOMP 1.2 broker for topics, written from the public format, with receipts and a login. */

import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";

/** Lets `guest` in, and refuses all destinations but topics. */
export async function startBroker(t: Cleanup): Promise<Upstream> {
  const topics = new Map<UpstreamConnection, Map<string, string>>();
  let number = 0;

  const write = (connection: UpstreamConnection, command: string, headers: object, body = "") => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    connection.send(`${command}\n${lines.join("")}\n${body}\0`);
  };

  function refuse(connection: UpstreamConnection, message: string, receipt?: string): void {
    write(connection, "ERROR", { message, ...(receipt !== undefined && { "receipt-id": receipt }) });
    connection.close(1002);
  }

  const onMessage = (text: unknown, connection: UpstreamConnection) => {
    const [head = "", body = ""] = String(text).replace(/^\n+/, "").split("\n\n");
    const [command = "", ...lines] = head.split("\n");
    if (command === "") return connection.send("\n");
    const headers = Object.fromEntries(lines.map((line) => [line.split(":")[0], line.slice(line.indexOf(":") + 1)]));
    const { destination = "", id = "", receipt } = headers;
    const opened = topics.get(connection);
    if (command === "CONNECT") {
      if (headers.passcode !== "guest") return refuse(connection, "Bad CONNECT");
      topics.set(connection, new Map());
      return write(connection, "CONNECTED", { version: "1.2", "heart-beat": "0,0" });
    }
    if (opened === undefined) return refuse(connection, "not connected");
    if (command === "SUBSCRIBE") opened.set(id, destination);
    if (command === "UNSUBSCRIBE") opened.delete(id);
    if (command === "SEND" && !destination.startsWith("/topic/"))
      return refuse(connection, "Unknown destination", receipt);
    if (command === "SEND") {
      for (const each of broker.live) {
        for (const [subscription, topic] of topics.get(each) ?? []) {
          const sent = { subscription, destination, "message-id": ++number, note: headers.note ?? "" };
          if (topic === destination) write(each, "MESSAGE", sent, body.slice(0, -1));
        }
      }
    }
    if (receipt !== undefined) write(connection, "RECEIPT", { "receipt-id": receipt });
  };
  const broker = await startUpstream({ t, onMessage, subprotocol: () => "v12.stomp" });
  return broker;
}
