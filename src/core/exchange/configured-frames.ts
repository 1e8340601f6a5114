/** The table of the frames of the configuration that go out under ids of ours: greetings, farewells and others. */
import type { WireId } from "../../protocols/protocol.ts";
import type { ConfiguredBy } from "../connection/frame-origin.ts";

export interface ConfiguredFrame {
  readonly by: ConfiguredBy;
  /** The id that the configuration wrote, for the protocol's `render`. */
  readonly own: unknown;
  /** True once the reply has come. Frames that follow it under the same id are messages. */
  answered: boolean;
}

/** The bound on heartbeats and answers of one connection that wait for a reply. Beyond it the oldest is forgotten. */
const UNANSWERED_MAX = 1_000;

/**
 * The key is (connection, id), as for requests. Frames of a greeting stay until their connection is lost, because the
 * upstream may use their ids until then; the others go with their replies.
 */
export class ConfiguredFrames {
  readonly #byConnection = new Map<number, Map<WireId, ConfiguredFrame>>();
  readonly #reserved = new Set<WireId>();

  /** Keeps an id of the configuration from callers, where callers' own ids are on the wire. */
  reserve(id: WireId): void {
    this.#reserved.add(id);
  }

  isReserved(id: WireId): boolean {
    return this.#reserved.has(id);
  }

  add(connection: number, id: WireId, by: ConfiguredBy, own: unknown): void {
    let frames = this.#byConnection.get(connection);
    if (frames === undefined) {
      frames = new Map();
      this.#byConnection.set(connection, frames);
    }
    frames.set(id, { by, own, answered: false });
    const others = [...frames].filter(([, frame]) => frame.by !== "greeting");
    const [oldest] = others;
    if (others.length > UNANSWERED_MAX && oldest !== undefined) frames.delete(oldest[0]);
  }

  /** True if the id is in use on any connection, so that it must not be drawn. */
  has(id: WireId): boolean {
    for (const frames of this.#byConnection.values()) if (frames.has(id)) return true;
    return false;
  }

  find(connection: number, id: WireId): ConfiguredFrame | undefined {
    return this.#byConnection.get(connection)?.get(id);
  }

  /** Takes the reply to a frame. */
  onReply(connection: number, id: WireId): void {
    const frames = this.#byConnection.get(connection);
    const frame = frames?.get(id);
    if (frame?.by === "greeting") frame.answered = true;
    else frames?.delete(id);
  }

  onLost(connection: number): void {
    this.#byConnection.delete(connection);
  }
}
