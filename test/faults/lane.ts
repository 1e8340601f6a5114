/** One direction of one proxied connection: reads, holds bytes as the toxics require, writes in order. */
import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { reset } from "./reset.ts";

export interface Toxics {
  /** Delays every byte, and the FIN, by this much. */
  readonly delayMs?: number;
  /** Lets nothing through, neither bytes nor FIN nor RST, until it is healed. */
  readonly blackHole?: boolean;
  /** The bandwidth. */
  readonly bytesPerSecond?: number;
  /** Cuts both directions after this many bytes of a connection, counted from its start. */
  readonly cutAfterBytes?: number;
  /** The kind of cut: FIN unless given. */
  readonly cutBy?: "fin" | "reset";
}

export interface LaneOptions {
  readonly from: Socket;
  readonly to: Socket;
  /** Read before each write, so that the toxics can change at any time. */
  readonly toxics: () => Toxics;
  /** Called with the number of bytes that came out. */
  readonly passed: (bytes: number) => void;
  readonly stopped: () => void;
}

/** Bytes to pass on, or the sender's end. */
interface Parcel {
  readonly bytes?: Buffer;
  readonly end?: "fin" | "reset";
  /** The time of arrival. */
  readonly at: number;
}

/** The lane stops reading while it holds more than this. */
const HELD_BYTES = 1024 * 1024;

/** A slow line passes its bytes in slices of this length. */
const SLICE_MS = 20;

export class Lane {
  readonly #options: LaneOptions;
  #parcels: Parcel[] = [];
  #held = 0;
  #passed = 0;
  /** The time until which a slow line is busy. */
  #busyUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #draining = false;
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    const { from, to } = options;
    from.on("data", (bytes: Buffer) => this.#take({ bytes, at: performance.now() }));
    from.on("end", () => this.end());
    // Also covers a connection that could not be made at all.
    from.on("error", () => this.#take({ end: "reset", at: performance.now() }));
    from.on("close", () => this.end());
    to.on("drain", () => {
      this.#draining = false;
      this.changed();
    });
  }

  /** Sends FIN after the held bytes. */
  end(): void {
    if (this.#parcels.some((parcel) => parcel.end !== undefined)) return;
    this.#take({ end: "fin", at: performance.now() });
  }

  /** Applies changed toxics. */
  changed(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#move();
  }

  /** Reports that both sockets are closed. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#parcels = [];
    this.#options.stopped();
  }

  #take(parcel: Parcel): void {
    if (this.#stopped) return;
    this.#parcels.push(parcel);
    this.#held += parcel.bytes?.length ?? 0;
    if (this.#held > HELD_BYTES) this.#options.from.pause();
    if (this.#timer === undefined) this.#move();
  }

  /** Passes on what is due, and schedules the rest. */
  #move(): void {
    for (;;) {
      const parcel = this.#parcels[0];
      if (parcel === undefined || this.#stopped || this.#draining) return;
      const toxics = this.#options.toxics();
      if (toxics.blackHole) return;
      const due = Math.max(parcel.at + (toxics.delayMs ?? 0), toxics.bytesPerSecond ? this.#busyUntil : 0);
      const wait = due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.changed(), Math.ceil(wait));
        return;
      }
      if (parcel.end !== undefined) {
        this.#finish(parcel.end);
        return;
      }
      this.#pass(parcel, toxics);
    }
  }

  #pass(parcel: Parcel, toxics: Toxics): void {
    const { to, from } = this.#options;
    const bytes = parcel.bytes as Buffer; // a parcel without an end has bytes
    const rate = toxics.bytesPerSecond ?? 0;
    const mostNow = rate > 0 ? Math.max(1, Math.floor((rate * SLICE_MS) / 1000)) : bytes.length;
    const cutAt = Math.floor(toxics.cutAfterBytes ?? Number.POSITIVE_INFINITY); // half a byte would never pass
    const mostEver = Math.max(0, cutAt - this.#passed);
    const piece = bytes.subarray(0, Math.min(mostNow, mostEver));
    const rest = bytes.subarray(piece.length);
    if (rest.length === 0) this.#parcels.shift();
    else this.#parcels[0] = { bytes: rest, at: parcel.at };
    this.#held -= piece.length;
    if (this.#held <= HELD_BYTES) from.resume();
    if (rate > 0) this.#busyUntil = performance.now() + (piece.length * 1000) / rate;
    if (piece.length > 0) {
      this.#draining = !to.write(piece);
      this.#passed += piece.length;
      this.#options.passed(piece.length);
    }
    if (this.#passed >= cutAt) this.#cut(toxics.cutBy ?? "fin");
  }

  #cut(how: "fin" | "reset"): void {
    const { from, to } = this.#options;
    this.#parcels = [];
    if (how === "reset") {
      reset(from);
      reset(to);
      return;
    }
    to.end(() => to.destroy());
    from.destroy();
  }

  #finish(how: "fin" | "reset"): void {
    this.#parcels = [];
    const { to } = this.#options;
    if (how === "reset") reset(to);
    else to.end();
    // FIN may come from an open socket (half-close); a closed one will never read the other direction.
    if (this.#options.from.destroyed && how === "fin") to.destroySoon();
  }
}
