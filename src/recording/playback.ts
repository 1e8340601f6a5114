/**
 * The playback of a recording in the upstream's place: the client's frames in, the recorded reactions out.
 *
 * A frame of the upstream reacts to the client's frame whose id it repeats; any other, to the last one before it, or to
 * the opening. So a client that is slower or faster than the recorded one gets everything in the order of its causes.
 */

import type { Pointer } from "../protocols/json-place.ts";
import type { Body, DecodedMessage, Protocol, RecordedFrames, WireId } from "../protocols/protocol.ts";
import type { CloseEntry, FrameEntry, RecordingEntry } from "./recording-format.ts";
import { type Comparable, comparable, isSame } from "./same-message.ts";

/** Something that the upstream does, so long after what it reacts to. */
export type Reaction = { readonly afterMs: number } & (
  | { readonly frame: Body }
  /** The code is undefined if the connection breaks without a close frame. */
  | { readonly close: { readonly code: number | undefined; readonly reason: string } }
);

/** A reaction, with the frame as it was recorded. `reply`: what it is, if it replies to a frame of the client. */
type Recorded = { readonly afterMs: number } & (
  | { readonly entry: FrameEntry; readonly reply: DecodedMessage | undefined }
  | { readonly entry: CloseEntry }
);

interface Step {
  readonly frame: Body;
  readonly form: Comparable;
  /** The names in it that are of one run only, where the protocol knows of such. */
  readonly names: readonly string[];
  readonly at: number;
  readonly reactions: Recorded[];
}

/** A recorded connection, as often as it is played. */
export interface Scene {
  readonly subprotocol: string;
  readonly opening: Omit<Step, "frame" | "form" | "names">;
  readonly steps: readonly Step[];
}

/** The most frames before a reply among which a protocol that does not show its ids is searched for the request. */
const SEARCHED_STEPS = 256;

/** Builds a scene of each connection that was open. */
export function scenesOf(
  entries: readonly RecordingEntry[],
  protocol: Protocol,
  ignored: readonly Pointer[],
): readonly Scene[] {
  const scenes: SceneBuilder[] = [];
  const byConnection = new Map<number, SceneBuilder>();
  for (const entry of entries) {
    if (entry.event === "failed" || entry.event === "end") continue;
    let scene = byConnection.get(entry.connection);
    if (!scene || entry.event === "open") {
      scene = new SceneBuilder(entry, protocol, ignored);
      byConnection.set(entry.connection, scene);
      scenes.push(scene);
    }
    scene.add(entry);
  }
  return scenes;
}

class SceneBuilder implements Scene {
  readonly subprotocol: string;
  readonly opening: Scene["opening"];
  readonly steps: Step[] = [];
  readonly #protocol: Protocol;
  readonly #ignored: readonly Pointer[];
  /** The newest step with each id, where the protocol shows ids as texts. */
  readonly #byId = new Map<string, Step>();
  /** The newest step with each name. */
  readonly #byName = new Map<string, Step>();
  readonly #connection: number;

  constructor(first: RecordingEntry, protocol: Protocol, ignored: readonly Pointer[]) {
    this.#connection = beginState(protocol);
    this.subprotocol = first.event === "open" ? first.subprotocol : "";
    this.opening = { at: first.at, reactions: [] };
    this.#protocol = protocol;
    this.#ignored = ignored;
  }

  add(entry: Exclude<RecordingEntry, { readonly event: "failed" | "end" }>): void {
    switch (entry.event) {
      case "sent":
        this.#sent(entry);
        break;
      case "received": {
        const { frame } = entry;
        const { recorded } = this.#protocol;
        if (recorded) {
          for (const message of recorded.split(frame)) this.#received({ ...entry, frame: message }, recorded);
          break;
        }
        this.#protocol.states?.take(this.#connection, frame);
        const decoded = messageIn(this.#protocol, frame, this.#connection);
        const id = this.#protocol.correlation === "id" && decoded && "id" in decoded ? decoded.id : undefined;
        const request = id === undefined ? undefined : this.#stepOf(id);
        const cause = request ?? this.#latest;
        cause.reactions.push({ entry, reply: request && decoded, afterMs: pauseMs(cause, entry) });
        break;
      }
      case "close":
        if (entry.by !== "us") this.#latest.reactions.push({ entry, afterMs: pauseMs(this.#latest, entry) });
    }
  }

  #received(entry: FrameEntry, recorded: RecordedFrames): void {
    const cause = this.#byName.get(recorded.addressee(entry.frame) ?? "") ?? this.#latest;
    cause.reactions.push({ entry, reply: undefined, afterMs: pauseMs(cause, entry) });
  }

  #sent({ frame, at }: FrameEntry): void {
    const step: Step = { frame, at, ...asSent(this.#protocol, frame, this.#ignored, this.#connection), reactions: [] };
    this.steps.push(step);
    for (const name of step.names) this.#byName.set(name, step);
    const id = shownId(this.#protocol, frame, this.#connection);
    if (id !== undefined) this.#byId.set(id, step);
  }

  get #latest(): Scene["opening"] {
    return this.steps.at(-1) ?? this.opening;
  }

  #stepOf(id: WireId): Step | undefined {
    const shown = this.#byId.get(String(id));
    if (shown || typeof id === "string") return shown;
    return this.steps
      .slice(-SEARCHED_STEPS)
      .findLast(({ frame }) => hasId(this.#protocol, frame, id, this.#connection));
  }
}

/** The numbers of the connections whose states the protocol keeps: recorded ones, and those of clients. */
let connections = 0;

/** Begins the state of a connection, if the protocol keeps one. @returns its number */
function beginState({ states }: Protocol): number {
  const connection = ++connections;
  // The frames that it sends at the beginning were recorded, and are the client's to send again.
  states?.begin(connection);
  return connection;
}

function pauseMs(from: { readonly at: number }, to: { readonly at: number }): number {
  return Math.max(0, to.at - from.at);
}

/** Plays a scene for one client. */
export class Player {
  readonly #scene: Scene;
  readonly #protocol: Protocol;
  readonly #ignored: readonly Pointer[];
  readonly #unused: Set<Step>;
  /** The names of this run, by the recorded ones. */
  readonly #names = new Map<string, string>();
  readonly #connection: number;

  constructor(scene: Scene, protocol: Protocol, ignored: readonly Pointer[]) {
    this.#scene = scene;
    this.#protocol = protocol;
    this.#ignored = ignored;
    this.#unused = new Set(scene.steps);
    this.#connection = beginState(protocol);
  }

  /** Notes that a frame has gone to the client: the protocol may keep state of it. */
  sent(frame: Body): void {
    this.#protocol.states?.take(this.#connection, frame);
  }

  /** Forgets a client that is gone. */
  end(): void {
    this.#protocol.states?.end(this.#connection);
  }

  /** The reactions to the opening. */
  begin(): readonly Reaction[] {
    return this.#scene.opening.reactions.map((reaction) => this.#reaction(reaction, undefined));
  }

  /**
   * Takes the first recorded frame that is the same and was not sent yet or, if all were, the last one again.
   * @returns the reactions; undefined if no such frame was recorded
   */
  onFrame(frame: Body): readonly Reaction[] | undefined {
    const live = asSent(this.#protocol, frame, this.#ignored, this.#connection);
    const isMeant = ({ form }: Step) => isSame(form, live.form);
    const step = first(this.#unused, isMeant) ?? this.#scene.steps.findLast(isMeant);
    if (!step) return undefined;
    this.#unused.delete(step);
    for (const [at, name] of step.names.entries()) this.#names.set(name, live.names[at] ?? name);
    return step.reactions.map((reaction) => this.#reaction(reaction, frame));
  }

  /** The first recorded frame that was not sent yet. */
  get next(): Body | undefined {
    return first(this.#unused, () => true)?.frame;
  }

  #reaction(recorded: Recorded, cause: Body | undefined): Reaction {
    const { afterMs } = recorded;
    if (!("reply" in recorded)) {
      const { code, reason } = recorded.entry;
      return { afterMs, close: { code: code === null || code === NO_CLOSE_FRAME ? undefined : code, reason } };
    }
    const { entry, reply } = recorded;
    const { recorded: known } = this.#protocol;
    if (known) return { afterMs, frame: known.renamed(entry.frame, this.#names) };
    return { afterMs, frame: reply && cause !== undefined ? this.#answered(entry.frame, reply, cause) : entry.frame };
  }

  /** Puts the id of the client's frame in the place of the recorded one. */
  #answered(frame: Body, reply: DecodedMessage, cause: Body): Body {
    const adopted = this.#protocol.adopt?.(cause, 0, this.#connection);
    if (!adopted || !("render" in reply)) return frame;
    return reply.render?.(adopted.own) ?? frame;
  }
}

const NO_CLOSE_FRAME = 1006;

function first<Item>(items: Iterable<Item>, isMeant: (item: Item) => boolean): Item | undefined {
  for (const item of items) if (isMeant(item)) return item;
  return undefined;
}

/** The message without its id and other names, which differ from run to run. */
function asSent(protocol: Protocol, frame: Body, ignored: readonly Pointer[], connection: number) {
  const { form = protocol.adopt?.(frame, 0, connection)?.frame ?? frame, names = [] } =
    protocol.recorded?.asSent(frame) ?? {};
  return { form: comparable(form, ignored), names };
}

/** The id of a client's frame, if the protocol shows it as a text. */
function shownId(protocol: Protocol, frame: Body, connection: number): string | undefined {
  const adopted = protocol.adopt?.(frame, 0, connection);
  if (adopted?.id !== undefined) return adopted.id;
  return typeof adopted?.own === "string" ? adopted.own.replace(/^"(.*)"$/, "$1") : undefined;
}

/** True if the frame is the same once it is given this id. */
function hasId(protocol: Protocol, frame: Body, id: number, connection: number): boolean {
  const adopted = protocol.adopt?.(frame, id, connection);
  return adopted !== undefined && isSame(comparable(frame, []), comparable(adopted.frame, []));
}

function messageIn(protocol: Protocol, frame: Body, connection: number): DecodedMessage | undefined {
  const decoded = protocol.decode(frame, connection);
  if (decoded.type === "several" || decoded.type === "ignored") return undefined;
  return decoded.type === "aliased" ? decoded.otherwise : decoded;
}
