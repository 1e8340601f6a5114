/** Tape of what connections exchange, for a recording: whole, without secrets, and bounded. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { type Disconnect, describeDisconnect } from "../../core/connection/disconnect.ts";
import { maskFrame } from "../../protocols/masked-frame.ts";
import type { Body } from "../../protocols/protocol.ts";
import { maskSecrets, withoutQuery } from "../../secrets/secrets.ts";
import type { TapeEntry } from "../contract.ts";
import type { Agreed } from "./socket.ts";

/** An entry without its time. */
type Untimed<Entry = TapeEntry> = Entry extends unknown ? Omit<Entry, "at"> : never;

/** The approximate size of an entry besides its frame. */
const ENTRY_BYTES = 64;

export class FrameTape {
  readonly #now: () => number;
  readonly #post: (entry: TapeEntry) => void;
  readonly #open = new Set<number>();
  #left: number;
  #mask: typeof maskFrame = maskFrame;

  /**
   * @param maxBytes bounds what is posted, and so what can wait for a host that is slow
   * @param now the system's clock, in milliseconds
   */
  constructor(maxBytes: number, now: () => number, post: (entry: TapeEntry) => void) {
    this.#left = maxBytes;
    this.#now = now;
    this.#post = post;
  }

  /** Masks frames as a protocol does, which finds secrets where they are in no JSON. */
  maskBy(mask: typeof maskFrame): void {
    this.#mask = mask;
  }

  opened(
    connection: number,
    { url, headers, subprotocols }: Pick<UpstreamSettings, "url" | "headers" | "subprotocols">,
    agreed: Agreed | undefined,
    secrets: readonly string[],
  ): void {
    this.#open.add(connection);
    const mask = (text: string) => maskSecrets(text, secrets);
    const sent = Object.entries(headers).map(([name, value]) => [name, mask(value)]);
    this.#add({
      event: "open",
      connection,
      url: mask(withoutQuery(new URL(agreed?.url ?? url))),
      headers: Object.fromEntries(sent),
      offered: subprotocols.map(mask),
      subprotocol: mask(agreed?.subprotocol ?? ""),
    });
  }

  frame(event: "sent" | "received", connection: number, frame: Body, secrets: readonly string[]): void {
    if (this.#left > 0) this.#add({ event, connection, frame: this.#mask(frame, secrets) }, frame.length);
  }

  closed(connection: number, drop: Disconnect, by: "us" | "peer" | null, secrets: readonly string[]): void {
    const why = maskSecrets(describeDisconnect(drop), secrets);
    const { code, text } = drop.reason === "closed" ? drop : { code: null, text: "" };
    const reason = maskSecrets(text, secrets);
    const wasOpen = this.#open.delete(connection);
    this.#add(wasOpen ? { event: "close", connection, by, code, reason, why } : { event: "failed", why });
  }

  #add(entry: Untimed, bytes = 0): void {
    if (this.#left <= 0) return;
    this.#left -= ENTRY_BYTES + bytes;
    const at = this.#now();
    this.#post(this.#left > 0 ? { ...entry, at } : { event: "full", at });
  }
}
