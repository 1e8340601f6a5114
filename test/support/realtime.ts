/** A realtime AI written from OpenAI's public description: sessions, responses with deltas, errors that name events. */
import { Buffer } from "node:buffer";
import type { Cleanup } from "./until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "./upstream.ts";

interface ClientEvent {
  readonly type: string;
  readonly event_id?: string;
  readonly audio?: string;
  readonly response?: { readonly instructions?: string; readonly metadata?: Readonly<Record<string, string>> };
}

/**
 * Responses whose instructions are `endless` go on until they are cancelled; `wrong` is refused; `failing` fails among
 * its deltas, `failing at length` with an end of more than 64 KiB; `echo` has the audio.
 */
export function startRealtime(t?: Cleanup): Promise<Upstream> {
  const sessions = new Map<UpstreamConnection, RealtimeSession>();
  return startUpstream({
    ...(t && { t }),
    refuse: ({ headers }) => (headers.authorization?.startsWith("Bearer key-of-") ? undefined : 401),
    onConnection: (connection) => sessions.set(connection, new RealtimeSession(connection)),
    onMessage: (message, connection) => sessions.get(connection)?.on(JSON.parse(String(message)) as ClientEvent),
  });
}

const LONG = 100_000;
const ends = (instructions: string) => (instructions.endsWith("at length") ? LONG : 0);

class RealtimeSession {
  readonly #connection: UpstreamConnection;
  #number = 0;
  #active: object | undefined;
  readonly #heard: Buffer[] = [];

  constructor(connection: UpstreamConnection) {
    this.#connection = connection;
    this.#send({ type: "session.created", session: { type: "realtime" } });
  }

  #send(event: object): void {
    this.#connection.send({ event_id: `event_${++this.#number}`, ...event });
  }

  on({ type, event_id, audio = "", response = {} }: ClientEvent): void {
    const fail = (code: string) =>
      this.#send({
        type: "error",
        error: { type: "invalid_request_error", code, message: code, param: null, event_id: event_id ?? null },
      });
    if (type === "session.update") this.#send({ type: "session.updated", session: { type: "realtime" } });
    else if (type === "input_audio_buffer.append") this.#heard.push(Buffer.from(audio, "base64"));
    else if (type === "response.cancel" && this.#active) this.#done("cancelled");
    else if (type === "response.cancel") fail("response_cancel_not_active");
    else if (type !== "response.create") fail("invalid_event_type");
    else if (this.#active) fail("conversation_already_has_active_response");
    else if (response.instructions === "wrong") fail("invalid_value");
    else this.#create(response);
  }

  #create({ instructions = "", metadata = {} }: NonNullable<ClientEvent["response"]>): void {
    const id = `resp_${this.#number}`;
    this.#active = {
      object: "realtime.response",
      id,
      metadata,
      output: [{ text: instructions.padEnd(ends(instructions)) }],
    };
    this.#send({ type: "response.created", response: { ...this.#active, status: "in_progress", output: [] } });
    if (instructions === "echo") {
      for (const bytes of this.#heard.splice(0)) {
        this.#send({ type: "response.output_audio.delta", response_id: id, delta: bytes.toString("base64") });
      }
      this.#done("completed");
      return;
    }
    for (const delta of instructions) this.#send({ type: "response.output_text.delta", response_id: id, delta });
    const delta = Buffer.from(instructions).toString("base64");
    this.#send({ type: "response.output_audio.delta", response_id: id, delta });
    if (instructions !== "endless") this.#done(instructions.startsWith("failing") ? "failed" : "completed");
  }

  #done(status: string): void {
    this.#send({ type: "response.done", response: { ...this.#active, status } });
    this.#active = undefined;
  }
}
