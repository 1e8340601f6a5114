import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Drop } from "../../core/connection/disconnect.ts";
import { RENEW_CLOSE_MS } from "../../core/connection/session.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { CloseCounts } from "../contract.ts";
import { lateSettings, type WorkOut } from "./resolve-placeholders.ts";
import { openSocket, type Socket, type SocketEvents } from "./socket.ts";
import { openLate } from "./unresolved-socket.ts";

interface Retired {
  readonly timer: NodeJS.Timeout;
  /** What its last ping asks for. */
  readonly proof: string;
}

/** Every socket of an upstream that is not gone yet. There may be two while one makes way for its successor. */
export class Connections {
  readonly #settings: UpstreamSettings;
  #filledIn: UpstreamSettings;
  readonly #workOut: WorkOut | undefined;
  readonly #lookup: LookupFunction | undefined;
  readonly #sockets = new Map<number, Socket>();
  /** Connections that were left for their successor and still owe replies, and what ends that in time. */
  readonly #retired = new Map<number, Retired>();

  constructor(name: string, settings: UpstreamSettings, lookup: LookupFunction | undefined) {
    this.#settings = settings;
    this.#filledIn = settings;
    this.#workOut = lateSettings(name, settings);
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
  open(epoch: number, withinMs: number, events: SocketEvents): void {
    const target = { settings: this.#settings, withinMs, lookup: this.#lookup };
    const resolved = (settings: UpstreamSettings) => {
      this.#filledIn = settings;
    };
    const socket = this.#workOut ? openLate(this.#workOut, target, resolved, events) : openSocket(target, events);
    this.#sockets.set(epoch, socket);
  }

  /** @returns how it ended, as the exit tells it */
  gone(epoch: number, drop: Drop): CloseCounts {
    const by = this.#sockets.get(epoch)?.closedBy ?? null;
    this.#sockets.delete(epoch);
    if (drop.reason === "closed") return { code: drop.code, by, forced: false };
    return { code: null, by, forced: drop.reason === "unclosed" };
  }

  /** Bytes handed over that the operating system has not taken yet. */
  buffered(epoch: number): number {
    return this.#sockets.get(epoch)?.buffered ?? 0;
  }

  /** @returns false when the frame did not leave */
  write(epoch: number, frame: Body): boolean {
    return this.#sockets.get(epoch)?.write(frame) ?? false;
  }

  ping(epoch: number, proof: string): void {
    this.#sockets.get(epoch)?.ping(proof);
  }

  close(epoch: number, code: number, withinMs: number): void {
    this.#sockets.get(epoch)?.close(code, withinMs);
  }

  destroy(epoch: number): void {
    this.#sockets.get(epoch)?.destroy();
  }

  /**
   * It was left for its successor. `late` is called when what it owes has not come in time. Nothing more is written to it,
   * so one ping proves all that was; `proof` is what that asks for.
   */
  retire(epoch: number, withinMs: number, proof: string, late: () => void): void {
    this.#retired.set(epoch, { timer: setTimeout(late, withinMs), proof });
    this.ping(epoch, proof);
  }

  /** Whether this is the pong of a retired connection's last ping. */
  isLastProof(epoch: number, proof: string): boolean {
    return this.#retired.get(epoch)?.proof === proof;
  }

  get anyRetired(): boolean {
    return this.#retired.size > 0;
  }

  isRetired(epoch: number): boolean {
    return this.#retired.has(epoch);
  }

  /** Closes what was left for its successor and owes nothing any more. */
  closeRetired(owes: (epoch: number) => boolean): void {
    for (const [epoch, { timer }] of this.#retired) {
      if (owes(epoch)) continue;
      clearTimeout(timer);
      this.#retired.delete(epoch);
      this.close(epoch, 1000, RENEW_CLOSE_MS);
    }
  }

  /** The exit closes whatever is left open beside the current connection. */
  closeOthers(current: number, withinMs: number): void {
    for (const { timer } of this.#retired.values()) clearTimeout(timer);
    this.#retired.clear();
    for (const [epoch, socket] of this.#sockets) {
      if (epoch !== current) socket.close(this.#settings.close_code, withinMs);
    }
  }
}
