/**
 * Dialect of the Model Context Protocol over WebSockets, as the client transport of its TypeScript SDK has it
 * (https://modelcontextprotocol.io).
 */

import { version as ownVersion } from "../../version.ts";
import { withAnswers } from "../answers.ts";
import type { Dialect } from "../dialect.ts";
import { JSON_OBJECT, objectOf } from "../json-option.ts";
import { jsonRpc } from "../json-rpc.ts";
import { STEP_MS } from "../preset.ts";
import type { Protocol } from "../protocol.ts";

const INITIALIZE = "initialize";
const VERSION = "2025-06-18";

const PING = "ping";
const PING_EVERY_MS = 30_000;
const PONG_WITHIN_MS = 10_000;

/** The requests and replies of a server, without the answers. */
const requests: Protocol = {
  ...jsonRpc,
  cancel: (requestId) =>
    JSON.stringify({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId, reason: "the caller has left" },
    }),
};

/**
 * The connection is that of a client. Its pings and the server's go both ways; what else the server asks for, which a
 * capability has declared, is a message that wants a reply.
 */
export const mcp: Dialect<"version" | "capabilities"> = {
  purpose: "Model Context Protocol servers (MCP) over WebSockets",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org/mcp",
    '    # headers: { authorization: "Bearer ${TOKEN}" }',
    "    protocol:",
    "      preset: mcp",
    "      # capabilities: '{\"elicitation\":{}}'   # what callers reply to, when the server asks",
  ],
  options: {
    version: `The version of the protocol that is asked for; by default "${VERSION}".`,
    capabilities: "The capabilities of the client, as a JSON object; by default none.",
  },
  forms: {
    version: { pattern: /^\d{4}-\d{2}-\d{2}$/, must: `must be a date, such as "${VERSION}"` },
    capabilities: JSON_OBJECT,
  },
  build: ({ version = VERSION, capabilities }) => {
    const initialized = { "/id": INITIALIZE };
    const params = {
      protocolVersion: version,
      capabilities: objectOf(capabilities) ?? {},
      clientInfo: { name: "sidesocket", version: ownVersion },
    };
    return {
      protocol: withAnswers(requests, [
        {
          when: { match: { "/method": PING }, has: ["/id"] },
          send: { jsonrpc: "2.0", result: {} },
          copy: { "/id": "/id" },
        },
      ]),
      subprotocols: ["mcp"],
      greeting: [
        {
          send: { jsonrpc: "2.0", id: INITIALIZE, method: INITIALIZE, params },
          expect: {
            match: initialized,
            has: ["/result/protocolVersion"],
            reject: { match: initialized, has: ["/error"] },
            within: STEP_MS,
          },
        },
        { send: { jsonrpc: "2.0", method: "notifications/initialized" } },
      ],
      capture: [
        {
          when: { has: ["/result/protocolVersion", "/result/serverInfo"] },
          values: { protocol_version: "/result/protocolVersion", server: "/result/serverInfo/name" },
        },
      ],
      heartbeat: {
        send: { jsonrpc: "2.0", id: PING, method: PING },
        every: PING_EVERY_MS,
        expect: { match: { "/id": PING } },
        within: PONG_WITHIN_MS,
      },
    };
  },
};
