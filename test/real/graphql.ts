/** A GraphQL server as its users write it: graphql-js and graphql-ws, over npm `ws`. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import type { Cleanup } from "../support/until.ts";
import { load } from "./packages.ts";

interface Disposable {
  dispose(): Promise<void> | void;
}

interface GraphqlWs {
  useServer(options: object, server: WebSocketServer, keepAlive?: number): Disposable;
}

interface GraphqlJs {
  buildSchema(sdl: string): object;
}

const SDL = `
  type Product { name: String!, price(currency: String = "EUR"): Int! }
  type Query { hello(name: String): String!, fails: String, slow(ms: Int!): Int!, products: [Product!]! }
  type Mutation { count(by: Int!): Int! }
  type Subscription { tick: Int!, countdown(from: Int!): Int!, price: Product! }
`;

export interface GraphqlServer {
  readonly url: string;
  /** The payloads that clients sent in `connection_init`. */
  readonly inits: unknown[];
  readonly server: WebSocketServer;
  /** The number of open subscriptions to `tick` and `price`. */
  ticking(): number;
  stop(): Promise<void>;
}

/** Starts the server. `token`: required in `connection_init`; otherwise it closes with 4403, as graphql-ws does. */
export async function startGraphql(
  options: { readonly token?: string; readonly t?: Cleanup } = {},
): Promise<GraphqlServer> {
  const { buildSchema } = await load<GraphqlJs>("graphql");
  const { useServer } = await load<GraphqlWs>("graphql-ws/use/ws");
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const inits: unknown[] = [];
  let count = 0;
  let ticking = 0;
  async function* tick(): AsyncGenerator<{ tick: number }> {
    ticking++;
    try {
      for (let n = 1; ; n++) {
        yield { tick: n };
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    } finally {
      ticking--;
    }
  }
  async function* price(): AsyncGenerator<{ price: object }> {
    for await (const { tick: n } of tick()) yield { price: { name: "tea", price: n } };
  }
  async function* countdown({ from }: { from: number }): AsyncGenerator<{ countdown: number }> {
    for (let n = from; n > 0; n--) yield { countdown: n };
  }
  const roots = {
    query: {
      hello: ({ name = "world" }: { name?: string }) => `hello ${name}`,
      fails: () => {
        throw new Error("on purpose");
      },
      products: () => [{ name: "<tea>", price: ({ currency }: { currency: string }) => (currency === "EUR" ? 4 : 5) }],
      slow: ({ ms }: { ms: number }) => new Promise((resolve) => setTimeout(resolve, ms, ms)),
    },
    subscription: { tick, countdown, price },
    mutation: {
      count: ({ by }: { by: number }) => {
        count += by;
        return count;
      },
    },
  };
  const onConnect = ({ connectionParams }: { connectionParams?: { token?: unknown } }): boolean => {
    inits.push(connectionParams);
    return options.token === undefined || connectionParams?.token === options.token;
  };
  const disposable = useServer({ schema: buildSchema(SDL), roots, onConnect }, server);
  const stop = async (): Promise<void> => {
    for (const client of server.clients) client.terminate();
    await disposable.dispose();
    server.close();
  };
  options.t?.after(stop);
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    inits,
    server,
    ticking: () => ticking,
    stop,
  };
}
