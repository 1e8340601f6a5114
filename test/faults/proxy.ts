/**
 * A TCP proxy whose two directions can be impaired at any time.
 *
 *     await using proxy = await startProxy({ to: upstream.port });
 *     proxy.up.set({ delayMs: 200 });        // client → upstream
 *     proxy.down.set({ blackHole: true });   // upstream → client
 *     proxy.heal(); proxy.reset(); proxy.halfClose("down"); await proxy.refuse();
 *
 * Bytes held by a black hole, a delay or a slow line keep their order and flow on once it is healed; so does a FIN. A
 * direction that holds much stops reading, so that the sender feels it.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Cleanup, type Truthy, type WaitOptions, Watch } from "../support/until.ts";
import { Lane, type Toxics } from "./lane.ts";
import { reset } from "./reset.ts";

/** Seen from the client: `up` goes to the upstream, `down` comes from it. */
export type Side = "up" | "down";

/** The toxics of one direction, for all present and future connections. */
export class Direction {
  /** Bytes that came out at the far end, over all connections. */
  bytes = 0;
  readonly lanes = new Set<Lane>();
  #toxics: Toxics = {};

  get toxics(): Toxics {
    return this.#toxics;
  }

  /** Replaces all toxics of this direction. */
  set(toxics: Toxics): void {
    this.#toxics = toxics;
    for (const lane of this.lanes) lane.changed();
  }

  heal(): void {
    this.set({});
  }
}

/** One connection through the proxy. */
export class Link {
  readonly client: Socket;
  readonly upstream: Socket;
  ended = false;

  constructor(client: Socket, upstream: Socket) {
    this.client = client;
    this.upstream = upstream;
  }

  /** Sends RST to both sides. */
  reset(): void {
    reset(this.client);
    reset(this.upstream);
  }

  /** Ends both sides at once, with FIN. */
  destroy(): void {
    this.client.destroy();
    this.upstream.destroy();
  }
}

export interface ProxyOptions {
  /** The target port on 127.0.0.1. May be changed at any time: `proxy.to`. */
  readonly to: number;
  readonly up?: Toxics;
  readonly down?: Toxics;
  readonly t?: Cleanup;
}

export class FaultProxy {
  readonly up = new Direction();
  readonly down = new Direction();
  /** Every connection ever made, in order. */
  readonly links: Link[] = [];
  to: number;
  readonly #watch = new Watch();
  #server: Server | undefined;
  #port = 0;

  private constructor(options: ProxyOptions) {
    this.to = options.to;
    this.up.set(options.up ?? {});
    this.down.set(options.down ?? {});
  }

  static async start(options: ProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await proxy.listen();
    options.t?.after(() => proxy.stop());
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  get live(): Link[] {
    return this.links.filter((link) => !link.ended);
  }

  /** Waits for a condition, which is checked after each connection, end and passage of bytes. */
  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return this.#watch.until(condition, options);
  }

  /** Removes all toxics in both directions; held bytes flow. */
  heal(): void {
    this.up.heal();
    this.down.heal();
  }

  /** Sends RST to both sides of every connection. */
  reset(): void {
    for (const link of this.live) link.reset();
  }

  /** Ends one direction of every connection with FIN, after the held bytes; the other stays open. */
  halfClose(side: Side): void {
    for (const lane of this[side].lanes) lane.end();
  }

  /** Stops listening; connections live on. */
  async refuse(): Promise<void> {
    this.#server?.close(); // Its callback would wait for the connections.
    this.#server = undefined;
  }

  /** Listens on the same port as before. */
  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Stops listening and ends every connection. */
  async stop(): Promise<void> {
    await this.refuse();
    for (const link of this.live) link.destroy();
    await this.until(() => this.live.length === 0, { what: "the proxy's connections to end" });
  }

  #accept(client: Socket): void {
    const upstream = connect({ port: this.to, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const link = new Link(client, upstream);
    this.links.push(link);
    const lanes = [this.#lane(this.up, client, upstream), this.#lane(this.down, upstream, client)];
    let open = 2;
    const closed = (): void => {
      open -= 1;
      if (open > 0) return;
      link.ended = true;
      for (const lane of lanes) lane.stop();
      this.#watch.changed();
    };
    client.once("close", closed);
    upstream.once("close", closed);
    this.#watch.changed();
  }

  #lane(direction: Direction, from: Socket, to: Socket): Lane {
    const lane = new Lane({
      from,
      to,
      toxics: () => direction.toxics,
      passed: (bytes) => {
        direction.bytes += bytes;
        this.#watch.changed();
      },
      stopped: () => direction.lanes.delete(lane),
    });
    direction.lanes.add(lane);
    return lane;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts a proxy on a free port of 127.0.0.1. */
export function startProxy(options: ProxyOptions): Promise<FaultProxy> {
  return FaultProxy.start(options);
}
