/** A server of npm's `@modelcontextprotocol/sdk`, with three tools, behind WebSockets. */

import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { load } from "./packages.ts";
import type { Transcript } from "./transcript.ts";

type Params = Readonly<Record<string, unknown>>;

interface Extra {
  readonly requestId: unknown;
  readonly signal: AbortSignal;
  sendNotification(notification: object): Promise<void>;
}

interface SdkServer {
  setRequestHandler(schema: object, handler: (request: { readonly params: Params }, extra: Extra) => unknown): void;
  connect(transport: Transport): Promise<void>;
  elicitInput(params: object): Promise<{ readonly content?: Params }>;
  ping(): Promise<object>;
}

interface SdkClient {
  setRequestHandler(schema: object, handler: () => unknown): void;
  connect(transport: object): Promise<void>;
  listTools(): Promise<object>;
  callTool(params: object): Promise<object>;
  close(): Promise<void>;
}

interface Transport {
  onmessage?: (message: object) => void;
  onclose?: () => void;
  start(): Promise<void>;
  send(message: object): Promise<void>;
  close(): Promise<void>;
}

interface Sdk {
  readonly Server: new (info: object, options: object) => SdkServer;
  readonly Client: new (info: object, options: object) => SdkClient;
  readonly WebSocketClientTransport: new (url: URL) => object;
  readonly ListToolsRequestSchema: object;
  readonly CallToolRequestSchema: object;
  readonly ElicitRequestSchema: object;
}

export async function loadSdk(): Promise<Sdk> {
  const parts = ["server/index.js", "client/index.js", "client/websocket.js", "types.js"];
  const loaded = await Promise.all(parts.map((part) => load<{ default: object }>(`@modelcontextprotocol/sdk/${part}`)));
  return Object.assign({}, ...loaded.map((each) => each.default)) as Sdk;
}

const NAME = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };

const TOOLS = [
  { name: "add", description: "Adds two numbers", inputSchema: { type: "object" } },
  { name: "greet", description: "Asks for a name, and greets", inputSchema: { type: "object" } },
  { name: "wait", description: "Makes progress, and ends when it is cancelled", inputSchema: { type: "object" } },
];

const text = (value: unknown) => ({ content: [{ type: "text", text: String(value) }] });

export interface McpServer {
  readonly upstream: Upstream;
  /** The transcripts of all connections, in order. */
  readonly transcripts: readonly Transcript[];
  /** The ids of the requests that were cancelled. */
  readonly cancelled: readonly unknown[];
  /** The server of the newest connection. */
  server(): SdkServer;
}

/** Starts the server, whose `upstream` may be stopped and restarted. */
export async function startMcpServer(t: Cleanup): Promise<McpServer> {
  const sdk = await loadSdk();
  const transcripts: Transcript[] = [];
  const transports: Transport[] = [];
  const servers: SdkServer[] = [];
  const cancelled: unknown[] = [];

  async function call(server: SdkServer, { name, arguments: given, _meta }: Params, extra: Extra): Promise<object> {
    const { a, b } = (given ?? {}) as { readonly a: number; readonly b: number };
    if (name === "add") return text(a + b);
    if (name === "greet") {
      const { content } = await server.elicitInput({ message: "Who are you?", requestedSchema: NAME });
      return text(`hello ${content?.name}`);
    }
    const { progressToken } = _meta as Params;
    await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    await new Promise((resolve) => extra.signal.addEventListener("abort", resolve));
    cancelled.push(extra.requestId);
    return text("never heard");
  }

  const upstream = await startUpstream({
    t,
    subprotocol: (offered) => offered.find((each) => each === "mcp"),
    onConnection(connection) {
      const transcript: Transcript = { client: [], server: [] };
      const transport: Transport = {
        start: async () => {},
        close: async () => connection.close(),
        async send(message) {
          transcript.server.push(JSON.parse(JSON.stringify(message)));
          connection.send(message);
        },
      };
      const server = new sdk.Server({ name: "tools", version: "1" }, { capabilities: { tools: {} } });
      server.setRequestHandler(sdk.ListToolsRequestSchema, () => ({ tools: TOOLS }));
      server.setRequestHandler(sdk.CallToolRequestSchema, ({ params }, extra) => call(server, params, extra));
      transcripts.push(transcript);
      transports.push(transport);
      servers.push(server);
      connection.socket.once("close", () => transport.onclose?.());
      void server.connect(transport);
    },
    onMessage(message, connection) {
      const value = JSON.parse(String(message));
      transcripts[connection.number - 1]?.client.push(value);
      transports[connection.number - 1]?.onmessage?.(value);
    },
  });
  const server = () => servers.at(-1) as SdkServer;
  return { upstream, transcripts, cancelled, server };
}
