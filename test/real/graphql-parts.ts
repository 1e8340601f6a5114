/** GraphQL servers that send results in parts: graphql-js as it first had it, and as it has it now, with graphql-ws. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import type { Cleanup } from "../support/until.ts";
import { load } from "./packages.ts";

/** The first versions with each of the two formats of parts. */
export type GraphqlVersion = "graphql-17-alpha-2" | "graphql-17-alpha-9";

interface InParts {
  readonly initialResult: object;
  readonly subsequentResults: AsyncGenerator<object>;
}

interface GraphqlJs {
  buildSchema(sdl: string): object;
  parse(query: string): object;
  validate(schema: object, document: object): readonly Error[];
  experimentalExecuteIncrementally(args: object): object | Promise<object>;
}

interface GraphqlWs {
  useServer(options: object, server: WebSocketServer): { dispose(): Promise<void> | void };
}

interface Subscribe {
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: object;
}

const SDL = `
  directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @stream(if: Boolean! = true, label: String, initialCount: Int = 0) on FIELD
  type Query { product: Product!, words: [String!]! }
  type Mutation { add: Product! }
  type Product { name: String!, rating: Int!, broken: Int }
`;

export interface PartsServer {
  readonly url: string;
  readonly server: WebSocketServer;
  /** The operations that the server was asked for. */
  readonly operations: number;
  /** The operations that go on. */
  readonly open: number;
  /** Lets what waits come. */
  release(): void;
}

/** Starts the server. Each rating, and each second word, waits until it is released. */
export async function startPartsServer(version: GraphqlVersion, t: Cleanup): Promise<PartsServer> {
  const { buildSchema, parse, validate, experimentalExecuteIncrementally } = await load<GraphqlJs>(version);
  const { GraphQLError } = await load<{ readonly GraphQLError: new (message: string) => Error }>("graphql");
  const { useServer } = await load<GraphqlWs>("graphql-ws/use/ws");
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const schema = buildSchema(SDL);
  let operations = 0;
  let open = 0;
  const waiting: (() => void)[] = [];
  const released = () => new Promise<void>((resolve) => waiting.push(resolve));
  const release = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const product = {
    name: "tea",
    rating: () => released().then(() => 5),
    broken: () =>
      released().then(() => {
        throw new Error("on purpose");
      }),
  };
  const rootValue = {
    product: () => product,
    add: () => product,
    words: async function* words() {
      yield "one";
      await released();
      yield "two";
    },
  };
  const results = ({ initialResult, subsequentResults }: InParts) => {
    open++;
    const first = [initialResult];
    let isOpen = true;
    const end = () => {
      if (isOpen) open--;
      isOpen = false;
    };
    // A generator would end only after what it waits for.
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        const value = first.shift();
        const result = value ? { value, done: false } : await subsequentResults.next();
        if (result.done) end();
        return result;
      },
      async return() {
        end();
        void subsequentResults.return(undefined);
        return { value: undefined, done: true };
      },
    };
  };
  const disposable = useServer(
    {
      onSubscribe: (_context: unknown, _id: unknown, { query, operationName, variables }: Subscribe) => {
        operations++;
        const document = parse(query);
        const errors = validate(schema, document);
        // graphql-ws takes errors of its own graphql-js only.
        if (errors.length > 0) return errors.map(({ message }) => new GraphQLError(message));
        return { schema, document, operationName, variableValues: variables, rootValue };
      },
      execute: async (args: object) => {
        const result = await experimentalExecuteIncrementally(args);
        return "initialResult" in result ? results(result as InParts) : result;
      },
    },
    server,
  );
  const stop = async (): Promise<void> => {
    release();
    for (const client of server.clients) client.terminate();
    await disposable.dispose();
    server.close();
  };
  t.after(stop);
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    server,
    get operations() {
      return operations;
    },
    get open() {
      return open;
    },
    release,
  };
}
