/** The product in front of one upstream, as the rows need it: quick to reconnect, with a secret to keep. */
import assert from "node:assert/strict";
import { type Config, type Product, type ProductOptions, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";

/** Sent to every upstream as a header; must not appear in any output. */
const CANARY = "canary-7f3a9c-never-to-be-printed";

/** The state route's facts of one upstream, as far as rows use them. */
export interface State {
  readonly phase: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly retry_in_ms: number | null;
  readonly in_flight: number;
  readonly counters: Readonly<Record<string, number>> | null;
}

export interface Scene {
  readonly product: Product;
  readonly state: () => Promise<State>;
  /** Reads a counter. Waits while the thread has no time to respond. */
  readonly counter: (name: string) => Promise<number>;
  /** Polls the state route until the upstream is in this phase. */
  readonly phase: (name: string, within?: number) => Promise<State>;
  readonly rpc: (method: string, params?: unknown, query?: string) => Promise<Response>;
  readonly request: (method: string, params?: unknown, query?: string) => Promise<Response>;
  /** The logged reasons of every end of its connections and attempts. */
  readonly errors: () => readonly string[];
  /** Waits for the log line about an end with this reason. */
  readonly logged: (reason: RegExp) => Promise<string>;
}

export const call = (method: string, params: unknown = [], id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params });

export const QUICK = { from: "20ms", to: "200ms", refused: "300ms" };

type Reachable = { readonly url: string };
type Settings = Config;

/** Starts the product with one upstream; it is killed when the test ends. */
export async function scene(
  t: Cleanup,
  upstream: Reachable,
  settings: Settings = {},
  options: Pick<ProductOptions, "env" | "wrapper" | "denoPermissions"> = {},
): Promise<Scene> {
  const of = await scenes(t, { default: [upstream, settings] }, options);
  return of("default");
}

/** Starts one product with several upstreams, by name: a process for each case of a row would take long. */
export async function scenes(
  t: Cleanup,
  upstreams: Readonly<Record<string, readonly [Reachable, Settings?]>>,
  options: Pick<ProductOptions, "env" | "wrapper" | "denoPermissions"> = {},
): Promise<(name: string) => Scene> {
  const entries = Object.entries(upstreams).map(([name, [{ url }, settings]]) => {
    const defaults = { reconnect: QUICK, headers: { authorization: `Bearer ${CANARY}` } };
    return [name, { url, ...defaults, ...settings }] as const;
  });
  // Longer than any client keeps a connection, so that none of ours ends while a request is being sent on it.
  const config = { listen: { keep_alive: "1h" }, upstreams: Object.fromEntries(entries) };
  const product = await startProduct({ config, t, ...options });
  return (name) => view(product, name);
}

function view(product: Product, name: string): Scene {
  const state = async (): Promise<State> => (await product.state(name)) as unknown as State;
  const requestTo =
    (path: string) =>
    (method: string, params?: unknown, query = "") =>
      product.post(`${path}${query}`, call(method, params));
  const errors = (): string[] =>
    product
      .log()
      .filter((line) => line["sidesocket.upstream"] === name)
      .flatMap((line) => (line["sidesocket.last_error"] as string | undefined) ?? []);
  return {
    product,
    state,
    counter: async (which) => (await until(async () => (await state()).counters, { what: "the counters" }))[which] ?? 0,
    phase: (wanted, within = 10_000) =>
      until(
        async () => {
          const now = await state();
          return now.phase === wanted && now;
        },
        { within, what: () => `${name} to be ${wanted} ${product.child.output()}` },
      ),
    rpc: requestTo(`/rpc/${name}`),
    request: requestTo(`/v1/upstreams/${name}/request`),
    errors,
    logged: (reason) =>
      product.until(() => errors().find((error) => reason.test(error)), { what: () => `${reason} in the log` }),
  };
}

/**
 * Asserts what must hold after every fault: nothing is pending, a fresh request is served, no rejection went unhandled,
 * no secret was printed, and SIGTERM ends it with code 0.
 */
export async function intact({ product, state, rpc }: Scene): Promise<void> {
  await product.ready(20_000);
  const reply = (await (await rpc("echo", ["afterwards"])).json()) as { readonly result?: unknown };
  assert.deepEqual(reply.result, ["afterwards"]);
  await until(async () => (await state()).in_flight === 0, { what: "nothing to be in flight" });
  assert.equal((await product.stop()).code, 0, product.stderr());
  assertQuiet(product);
}

/** Asserts I5: no unhandled rejection, no secret in any output. */
export function assertQuiet(product: Product): void {
  const output = product.stdout() + product.stderr();
  assert.doesNotMatch(output, /unhandled|uncaught|internal error|panick/i);
  assert.ok(!output.includes(CANARY), "the secret was printed");
}
