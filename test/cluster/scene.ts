/** Replicas of one cluster as real processes, in front of an upstream that records what it receives on which connection. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { JetStream } from "../support/jetstream.ts";
import { type Product, startProduct } from "../support/product.ts";
import type { ExitReport } from "../support/report.ts";
import { type Cleanup, until } from "../support/until.ts";

/** A message as the upstream got it. `connection`: the number of the connection, from 1. */
interface Received {
  readonly connection: number;
  readonly key: string;
  readonly at: number;
}

/**
 * A JSON-RPC server, which replies with the first parameter of a request. `tell` sends a notification before, `hold` has
 * its reply once it is let go, and `never` has none.
 */
export class RecordingUpstream {
  readonly #server: WebSocketServer;
  readonly received: Received[] = [];
  /** The replies to its own requests. */
  readonly answers: { readonly id: string; readonly answer: unknown }[] = [];
  /** By the number of the connection, from 1: when it opened and when it ended. */
  readonly connections: { readonly openedAt: number; closedAt: number | undefined }[] = [];
  readonly #open = new Set<WebSocket>();
  /** Milliseconds until a reply. */
  delayMs = 0;
  readonly #held: (() => void)[] = [];

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on("connection", (socket) => this.#accept(socket));
  }

  static async start(t: Cleanup): Promise<RecordingUpstream> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise<void>((resolve) => server.once("listening", resolve));
    const upstream = new RecordingUpstream(server);
    t.after(async () => {
      for (const socket of upstream.#open) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    });
    return upstream;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#open.size;
  }

  /** The most connections that were ever open at once. */
  mostOpen = 0;

  /** Sends a notification over each connection. */
  say(...params: unknown[]): void {
    for (const socket of this.#open) socket.send(JSON.stringify({ jsonrpc: "2.0", method: "told", params }));
  }

  /** Sends a request of its own over each connection. */
  ask(id: string): void {
    for (const socket of this.#open) socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: "ask" }));
  }

  /** Sends the replies that are held. */
  letGo(): void {
    for (const send of this.#held.splice(0)) send();
  }

  timesOf(key: string): number {
    return this.received.filter((each) => each.key === key).length;
  }

  #accept(socket: WebSocket): void {
    const record = { openedAt: performance.now(), closedAt: undefined as number | undefined };
    const connection = this.connections.push(record);
    this.#open.add(socket);
    this.mostOpen = Math.max(this.mostOpen, this.open);
    socket.on("error", () => {});
    socket.on("close", () => {
      record.closedAt = performance.now();
      this.#open.delete(socket);
    });
    socket.on("message", (data) => {
      const { id, method, params, result: answer } = JSON.parse(String(data));
      if (answer !== undefined) {
        this.answers.push({ id, answer });
        return;
      }
      this.received.push({ connection, key: String(params?.[0]), at: performance.now() });
      if (id === undefined || method === "never") return;
      if (method === "tell") socket.send(JSON.stringify({ jsonrpc: "2.0", method: "told", params }));
      const reply = JSON.stringify({ jsonrpc: "2.0", id, result: params[0] });
      if (method === "hold") this.#held.push(() => socket.send(reply));
      else if (this.delayMs === 0) socket.send(reply);
      else setTimeout(() => socket.send(reply), this.delayMs);
    });
  }
}

export type Runtime = "node" | "deno";

export interface SceneOptions {
  readonly t: Cleanup;
  /** The runtime of each replica; undefined for that of the test. */
  readonly on?: readonly (Runtime | undefined)[];
  readonly lease?: string;
  readonly handover?: "after_close" | "overlap";
  readonly limits?: object;
  /** Other settings of the upstream. */
  readonly settings?: object;
  readonly shutdown?: object;
}

/** The part of a caller's response that says how a request ended. */
export interface Ended {
  readonly key: string;
  readonly replica: number;
  /** `reply`, or the code of the failure; `refused` if the replica could not be reached. */
  readonly end: string;
  readonly sent: "no" | "maybe" | "yes" | undefined;
  readonly detail: string;
  readonly began: number;
  readonly ms: number;
}

export class Scene {
  readonly t: Cleanup;
  readonly nats: JetStream;
  readonly upstream: RecordingUpstream;
  readonly replicas: Product[] = [];
  readonly #options: SceneOptions;
  #keys = 0;

  private constructor(options: SceneOptions, nats: JetStream, upstream: RecordingUpstream) {
    this.t = options.t;
    this.#options = options;
    this.nats = nats;
    this.upstream = upstream;
  }

  /** Starts everything, and waits until every replica is ready. */
  static async start(options: SceneOptions): Promise<Scene> {
    const { t, on = [undefined, undefined, undefined] } = options;
    const [nats, upstream] = await Promise.all([JetStream.start({ t }), RecordingUpstream.start(t)]);
    const scene = new Scene(options, nats, upstream);
    scene.replicas.push(...(await Promise.all(on.map((runtime) => scene.startReplica(runtime)))));
    await Promise.all(scene.replicas.map((_, index) => scene.ready(index)));
    return scene;
  }

  startReplica(on?: Runtime): Promise<Product> {
    const { lease = "1s", handover = "after_close", limits = {}, settings = {}, shutdown = {} } = this.#options;
    const config = {
      cluster: { servers: [this.nats.url], name: "test", lease },
      shutdown,
      upstreams: { default: { url: this.upstream.url, protocol: "json-rpc", handover, limits, ...settings } },
    };
    return startProduct({ t: this.t, config, ...(on && { on }) });
  }

  async ready(index: number): Promise<void> {
    const isReady = async () => (await fetch(`${this.replicas[index]?.url}/readyz`).catch(() => undefined))?.ok;
    await until(isReady, { within: 15_000, what: () => `replica ${index}: ${this.replicas[index]?.stderr}` });
  }

  /** Ends a replica at once. */
  async kill(index: number): Promise<void> {
    await this.replicas[index]?.kill();
  }

  /** Ends a replica as a rolling restart does. */
  async stop(index: number): Promise<{ readonly report: ExitReport }> {
    const replica = this.replicas[index];
    assert.ok(replica);
    await replica.stop();
    return { report: replica.report() };
  }

  /** Starts another replica in place of one that has ended. */
  async replace(index: number): Promise<void> {
    this.replicas[index] = await this.startReplica(this.#options.on?.[index]);
    await this.ready(index);
  }

  /** Waits until a replica owns the upstream. @returns its index */
  async owner(): Promise<number> {
    const found = await until(
      async () => {
        const owners = await Promise.all(this.replicas.map((each) => ownerOf(each)));
        const index = owners.findIndex((owner) => owner?.self === true);
        return index < 0 ? undefined : { index };
      },
      { what: "an owner" },
    );
    return found.index;
  }

  /** Calls the upstream with an Idempotency-Key, and repeats that elsewhere. @returns the ends that count */
  async callTwice(replica: number, another: () => number, timeout?: string): Promise<readonly Ended[]> {
    const first = await this.call(replica, timeout, true);
    const second = await this.call(another(), timeout, true, first.key);
    // One that was not sent, or not taken by the replica, may be sent by the repetition.
    if (first.sent === "no" || first.end === "refused") return [second];
    // A repetition that was not sent says nothing of the first.
    return second.sent === "no" ? [first] : [first, second];
  }

  /**
   * Calls the upstream through a replica.
   * @param isKeyed true to send the key by which the upstream's record knows the message, too
   */
  async call(replica: number, timeout = "5s", isKeyed = false, key = `k${++this.#keys}`): Promise<Ended> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "echo", params: [key] });
    const began = performance.now();
    const ended = (end: string, sent: Ended["sent"], detail = "") => {
      return { key, replica, end, sent, detail, began, ms: performance.now() - began };
    };
    try {
      const response = await fetch(`${this.replicas[replica]?.url}/v1/upstreams/default/request?timeout=${timeout}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(isKeyed && { "idempotency-key": key }) },
        body,
      });
      const text = await response.text();
      const value = JSON.parse(text);
      if (response.ok && value.result === key) return ended("reply", "yes");
      return ended(value.code ?? `swapped: ${text}`, value.sent, value.detail);
    } catch (error) {
      return ended("refused", undefined, String(error));
    }
  }

  /** Every `sent` must agree with the upstream's own record, and nothing may have come twice. */
  check(all: readonly Ended[]): void {
    for (const { key, end, sent, detail } of all) {
      const times = this.upstream.timesOf(key);
      const what = `${key}: ${end}, sent: ${sent}, received ${times} times: ${detail}`;
      assert.ok(times <= 1, what);
      if (sent === "no") assert.equal(times, 0, what);
      if (sent === "yes") assert.equal(times, 1, what);
      assert.ok(!end.startsWith("swapped"), what);
    }
  }
}

export async function ownerOf(
  replica: Product,
): Promise<{ readonly self: boolean; readonly member: string; readonly term: number } | undefined> {
  const response = await fetch(`${replica.url}/v1/upstreams/default`).catch(() => undefined);
  if (!response?.ok) return undefined;
  return ((await response.json()) as { owner?: { self: boolean; member: string; term: number } }).owner;
}

/** Calls all replicas in turn, every few milliseconds, until it is stopped: every fourth time with a key, and twice. */
export class Load {
  readonly #scene: Scene;
  readonly #calls: Promise<readonly Ended[]>[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly skipped = new Set<number>();
  #next = 0;

  /** @param timeout of each call */
  constructor(scene: Scene, everyMs = 5, timeout = "5s") {
    this.#scene = scene;
    this.#timer = setInterval(() => {
      const count = this.#next++;
      const replica = count % scene.replicas.length;
      if (this.skipped.has(replica)) return;
      const isTwice = count % 4 === 0;
      const once = async () => [await scene.call(replica, timeout)];
      this.#calls.push(isTwice ? scene.callTwice(replica, () => this.#another(replica), timeout) : once());
    }, everyMs);
  }

  /** Another replica that is not skipped, if there is one. */
  #another(replica: number): number {
    const { length } = this.#scene.replicas;
    const others = Array.from({ length: length - 1 }, (_, index) => (replica + 1 + index) % length);
    return others.find((other) => !this.skipped.has(other)) ?? replica;
  }

  async stop(): Promise<readonly Ended[]> {
    clearInterval(this.#timer);
    const all = (await Promise.all(this.#calls)).flat();
    this.#scene.check(all);
    return all;
  }
}
