import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Disconnect } from "../../core/connection/disconnect.ts";
import { RENEW_CLOSE_MS } from "../../core/connection/session.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { CloseCounts } from "../contract.ts";
import { type ResolveSettings, settingsResolver } from "./resolve-placeholders.ts";
import { openSocket, type Socket, type SocketEvents } from "./socket.ts";
import { openUnresolved } from "./unresolved-socket.ts";

interface Retired {
  readonly timer: NodeJS.Timeout;
  /** What its last ping asks for. */
  readonly proof: string;
}

/** Every socket of an upstream that is not gone yet. There may be two while one makes way for its successor. */
export class Sockets {
  readonly #settings: UpstreamSettings;
  #filledIn: UpstreamSettings;
  readonly #workOut: ResolveSettings | undefined;
  readonly #lookup: LookupFunction | undefined;
  readonly #sockets = new Map<number, Socket>();
  /** Connections that were left for their successor and still owe replies, and what ends that in time. */
  readonly #retired = new Map<number, Retired>();

  constructor(name: string, settings: UpstreamSettings, lookup: LookupFunction | undefined) {
    this.#settings = settings;
    this.#filledIn = settings;
    this.#workOut = settingsResolver(name, settings);
    this.#lookup = lookup;
  }

  /** The settings with the values of the newest attempt. */
  get filledIn(): UpstreamSettings {
    return this.#filledIn;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** `gone` must be called when it was dropped. */
  open(connection: number, withinMs: number, events: SocketEvents): void {
    const target = { settings: this.#settings, withinMs, lookup: this.#lookup };
    const resolved = (settings: UpstreamSettings) => {
      this.#filledIn = settings;
    };
    const socket = this.#workOut ? openUnresolved(this.#workOut, target, resolved, events) : openSocket(target, events);
    this.#sockets.set(connection, socket);
  }

  /** @returns how it ended, as the exit tells it */
  gone(connection: number, drop: Disconnect): CloseCounts {
    const by = this.#sockets.get(connection)?.closedBy ?? null;
    this.#sockets.delete(connection);
    if (drop.reason === "closed") return { code: drop.code, by, forced: false };
    return { code: null, by, forced: drop.reason === "unclosed" };
  }

  /** Bytes handed over that the operating system has not taken yet. */
  buffered(connection: number): number {
    return this.#sockets.get(connection)?.buffered ?? 0;
  }

  /** @returns false when the frame did not leave */
  write(connection: number, frame: Body): boolean {
    return this.#sockets.get(connection)?.write(frame) ?? false;
  }

  ping(connection: number, proof: string): void {
    this.#sockets.get(connection)?.ping(proof);
  }

  close(connection: number, code: number, withinMs: number): void {
    this.#sockets.get(connection)?.close(code, withinMs);
  }

  destroy(connection: number): void {
    this.#sockets.get(connection)?.destroy();
  }

  /**
   * It was left for its successor. `late` is called when what it owes has not come in time. Nothing more is written to it,
   * so one ping proves all that was; `proof` is what that asks for.
   */
  retire(connection: number, withinMs: number, proof: string, late: () => void): void {
    this.#retired.set(connection, { timer: setTimeout(late, withinMs), proof });
    this.ping(connection, proof);
  }

  /** Whether this is the pong of a retired connection's last ping. */
  isLastProof(connection: number, proof: string): boolean {
    return this.#retired.get(connection)?.proof === proof;
  }

  get anyRetired(): boolean {
    return this.#retired.size > 0;
  }

  isRetired(connection: number): boolean {
    return this.#retired.has(connection);
  }

  /** Closes what was left for its successor and owes nothing any more. */
  closeRetired(owes: (connection: number) => boolean): void {
    for (const [connection, { timer }] of this.#retired) {
      if (owes(connection)) continue;
      clearTimeout(timer);
      this.#retired.delete(connection);
      this.close(connection, 1000, RENEW_CLOSE_MS);
    }
  }

  /** The exit closes whatever is left open beside the current connection. */
  closeOthers(current: number, withinMs: number): void {
    for (const { timer } of this.#retired.values()) clearTimeout(timer);
    this.#retired.clear();
    for (const [connection, socket] of this.#sockets) {
      if (connection !== current) socket.close(this.#settings.close_code, withinMs);
    }
  }
}
