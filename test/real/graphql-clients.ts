/**
 * Apollo Client 4, urql, Relay and graphql-request, with the few of their types that the tests use.
 *
 * They are declared here because the packages live in a separate folder, which neither tsc nor the compiled tests see.
 */
import { createHash } from "node:crypto";
import { load } from "./packages.ts";

type Json = Readonly<Record<string, unknown>>;
type Document = object;

/** An error as GraphQL has it. */
export interface GraphqlError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly locations?: readonly object[];
  readonly extensions?: Json;
}

/** What RxJS and Relay have in common with each other. */
interface Observable<T> {
  subscribe(observer: {
    readonly next?: (value: T) => void;
    readonly error?: (error: Error) => void;
    readonly complete?: () => void;
  }): { unsubscribe(): void };
}

// Apollo Client.

export interface ApolloResult {
  readonly data?: Json | null;
  readonly error?: Error & { readonly errors?: readonly GraphqlError[] };
  readonly extensions?: Json;
}

interface Operation {
  readonly variables?: Json;
  readonly errorPolicy?: "all";
  readonly fetchPolicy?: "no-cache" | "network-only";
}

export interface Apollo {
  query(operation: Operation & { readonly query: Document }): Promise<ApolloResult>;
  mutate(operation: Operation & { readonly mutation: Document }): Promise<ApolloResult>;
  watchQuery(
    operation: Operation & { readonly query: Document },
  ): Observable<ApolloResult & { readonly dataState: string }>;
  subscribe(operation: Operation & { readonly query: Document }): Observable<ApolloResult>;
  stop(): void;
}

type Link = { concat(next: Link): Link };

interface ApolloPackage {
  readonly ApolloClient: new (options: object) => Apollo;
  readonly InMemoryCache: new () => object;
  readonly HttpLink: new (options: object) => Link;
  readonly gql: (text: string) => Document;
}

/** The formats of results in parts that Apollo Client reads. */
export type PartsHandler = "Defer20220824Handler" | "GraphQL17Alpha9Handler";

export interface ApolloOptions {
  /** Sends the hash of a query first, and by GET if asked to. */
  readonly persisted?: "post" | "get";
  readonly parts?: PartsHandler;
  readonly get?: boolean;
  readonly fetch?: typeof fetch;
}

/** Apollo Client as its documentation begins with it, with what the options add. */
export async function loadApollo() {
  const core = await load<ApolloPackage>("@apollo/client/core");
  const { createPersistedQueryLink } = await load<{ createPersistedQueryLink(options: object): Link }>(
    "@apollo/client/link/persisted-queries",
  );
  const handlers = await load<Record<PartsHandler, new () => object>>("@apollo/client/incremental");
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  const create = (uri: string, options: ApolloOptions = {}): Apollo => {
    const { persisted, parts, get = false } = options;
    const http = new core.HttpLink({ uri, useGETForQueries: get, ...(options.fetch && { fetch: options.fetch }) });
    const hashes = persisted && createPersistedQueryLink({ sha256, useGETForHashedQueries: persisted === "get" });
    return new core.ApolloClient({
      link: hashes ? hashes.concat(http) : http,
      cache: new core.InMemoryCache(),
      ...(parts && { incrementalHandler: new handlers[parts]() }),
    });
  };
  return { create, gql: core.gql };
}

// urql.

export interface UrqlResult {
  readonly data?: Json | null;
  readonly error?: Error & { readonly graphQLErrors: readonly GraphqlError[]; readonly networkError?: Error };
  readonly hasNext: boolean;
}

interface UrqlSource extends PromiseLike<UrqlResult> {
  subscribe(next: (result: UrqlResult) => void): { unsubscribe(): void };
}

export interface Urql {
  query(query: string, variables: Json): UrqlSource;
  mutation(query: string, variables: Json): UrqlSource;
  subscription(query: string, variables: Json): UrqlSource;
}

interface UrqlPackage {
  readonly Client: new (options: object) => Urql;
  readonly fetchExchange: object;
}

interface UrqlOptions {
  readonly preferGetMethod?: boolean;
  readonly fetchSubscriptions?: boolean;
  readonly fetchOptions?: RequestInit;
}

/** @param options `preferGetMethod` is "within-url-limit" by urql's default */
export async function loadUrql() {
  const { Client, fetchExchange } = await load<UrqlPackage>("@urql/core");
  return (url: string, options: UrqlOptions = {}) => new Client({ url, exchanges: [fetchExchange], ...options });
}

// graphql-request.

export interface ClientError extends Error {
  readonly response: { readonly status: number; readonly errors?: readonly GraphqlError[]; readonly data?: Json };
}

export async function loadGraphqlRequest() {
  const { GraphQLClient } = await load<{
    readonly GraphQLClient: new (
      url: string,
      options?: object,
    ) => { request(query: string, variables?: Json): Promise<Json> };
  }>("graphql-request");
  return (url: string, options?: { readonly method: "GET" }) => new GraphQLClient(url, options);
}

// Relay.

interface RelayParameters {
  readonly text: string;
}

export interface Relay {
  readonly environment: object;
  fetch(artifact: object, variables: Json): Promise<Json>;
  mutate(artifact: object, variables: Json): Promise<{ readonly response: Json; readonly errors: unknown }>;
}

interface RelayPackage {
  readonly Environment: new (options: object) => object;
  readonly Network: { create(fetcher: (parameters: RelayParameters, variables: Json) => Promise<unknown>): object };
  readonly RecordSource: new () => object;
  readonly Store: new (source: object) => object;
  fetchQuery(environment: object, artifact: object, variables: Json): { toPromise(): Promise<Json> };
  commitMutation(
    environment: object,
    config: {
      readonly mutation: object;
      readonly variables: Json;
      readonly onCompleted: (response: Json, errors: unknown) => void;
      readonly onError: (error: Error) => void;
    },
  ): unknown;
}

/** Relay with the network layer of its documentation. */
export async function loadRelay(): Promise<(url: string) => Relay> {
  const { Environment, Network, RecordSource, Store, fetchQuery, commitMutation } =
    await load<RelayPackage>("relay-runtime");
  return (url) => {
    const network = Network.create(async ({ text }, variables) => {
      const response = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ query: text, variables }),
      });
      return await response.json();
    });
    const environment = new Environment({ network, store: new Store(new RecordSource()) });
    return {
      environment,
      fetch: (artifact, variables) => fetchQuery(environment, artifact, variables).toPromise(),
      mutate: (mutation, variables) =>
        new Promise((resolve, reject) => {
          const onCompleted = (response: Json, errors: unknown) => resolve({ response, errors });
          commitMutation(environment, { mutation, variables, onCompleted, onError: reject });
        }),
    };
  };
}

/**
 * The artifact that Relay's compiler makes of an operation with one scalar field and one argument.
 * @param argument the name of the argument and of its variable
 */
export function relayArtifact(kind: "query" | "mutation", name: string, text: string, field: string, argument: string) {
  const definitions = [{ defaultValue: null, kind: "LocalArgument", name: argument }];
  const selections = [
    {
      alias: null,
      args: [{ kind: "Variable", name: argument, variableName: argument }],
      kind: "ScalarField",
      name: field,
      storageKey: null,
    },
  ];
  const root = { argumentDefinitions: definitions, name, selections };
  const type = kind === "query" ? "Query" : "Mutation";
  return {
    fragment: { ...root, kind: "Fragment", metadata: null, type, abstractKey: null },
    kind: "Request",
    operation: { ...root, kind: "Operation" },
    params: { cacheID: name, id: null, metadata: {}, name, operationKind: kind, text },
  };
}
