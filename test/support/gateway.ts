/** A gateway with sessions that resume, written from the public format of Discord's (version 10). */

import type { Cleanup } from "./until.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "./upstream.ts";

export const GATEWAY_TOKEN = "gateway-token-7f3a9c";

interface Session {
  readonly id: string;
  /** Every dispatch, of which the first is READY: its `s` is its place, from 1. */
  readonly sent: string[];
  connection: UpstreamConnection | undefined;
}

/** Also a judge: whatever a client must not do goes into `faults`. */
export class Gateway {
  readonly faults: string[] = [];
  identifies = 0;
  resumes = 0;
  heartbeats = 0;
  /** How many messages were made, while a client was there or not. */
  made = 0;
  interval = 100;
  /** The answer to the next attempts to resume, in place of resuming. */
  invalid: boolean[] = [];
  readonly #sessions = new Map<string, Session>();
  #server: Upstream | undefined;
  #newest: Session | undefined;

  static async start(t: Cleanup): Promise<Gateway> {
    const gateway = new Gateway();
    gateway.#server = await startUpstream({
      t,
      onConnection: (connection) => gateway.#hello(connection),
      onMessage: (message, connection) => gateway.#onMessage(JSON.parse(String(message)), connection),
    });
    return gateway;
  }

  get upstream(): Upstream {
    if (!this.#server) throw new Error("the gateway has not started");
    return this.#server;
  }

  get url(): string {
    return `${this.upstream.url}?v=10&encoding=json`;
  }

  get host(): string {
    return `127.0.0.1:${this.upstream.port}`;
  }

  /** The connection that a session uses now; undefined while none does. */
  get attached(): UpstreamConnection | undefined {
    const { connection } = this.#newest ?? {};
    return connection?.open ? connection : undefined;
  }

  /** Dispatches one message to the newest session, now or when it resumes. */
  message(): void {
    if (this.#newest) this.#dispatch(this.#newest, "MESSAGE_CREATE", { number: ++this.made });
  }

  /** Sends a control frame on the connection in use. */
  control(op: number, d: unknown = null): void {
    this.attached?.send({ op, d, s: null, t: null });
  }

  /** Forgets the session: only a new one can follow. */
  invalidate(): void {
    this.#sessions.clear();
  }

  #hello(connection: UpstreamConnection): void {
    if (!connection.path.endsWith("?v=10&encoding=json")) this.faults.push(`it connected to ${connection.path}`);
    connection.send({ op: 10, d: { heartbeat_interval: this.interval }, s: null, t: null });
  }

  #onMessage({ op, d }: { op: number; d: never }, connection: UpstreamConnection): void {
    switch (op) {
      case 1:
        this.#onHeartbeat(d, connection);
        break;
      case 2:
        this.#identify(d, connection);
        break;
      case 6:
        this.#resume(d, connection);
        break;
      default:
        if (this.#newest?.connection !== connection) this.faults.push(`op ${op} came before a session`);
    }
  }

  #onHeartbeat(d: number, connection: UpstreamConnection): void {
    this.heartbeats += 1;
    const session = this.#newest;
    if (session?.connection !== connection) this.faults.push("a heartbeat came outside of a session");
    else if (!(d >= 1 && d <= session.sent.length)) this.faults.push(`a heartbeat carried ${d}`);
    connection.send({ op: 11, d: null, s: null, t: null });
  }

  #identify({ token }: { token: string }, connection: UpstreamConnection) {
    if (token !== GATEWAY_TOKEN) return connection.close(4004, "Authentication failed.");
    if (connection.path.startsWith("/resume")) this.faults.push("it identified at the address for resuming");
    this.identifies += 1;
    const id = `session-${this.identifies}-5c1f77`;
    const session: Session = { id, sent: [], connection };
    this.#sessions.set(id, session);
    this.#newest = session;
    const resume_gateway_url = `ws://${this.host}/resume`;
    this.#dispatch(session, "READY", { v: 10, session_id: id, resume_gateway_url });
  }

  #resume(d: { token: string; session_id: string; seq: number }, connection: UpstreamConnection) {
    const session = this.#sessions.get(d.session_id);
    const invalid = this.invalid.shift();
    if (d.token !== GATEWAY_TOKEN) return connection.close(4004, "Authentication failed.");
    if (session === undefined || invalid !== undefined) {
      return connection.send({ op: 9, d: session !== undefined && invalid === true, s: null, t: null });
    }
    if (!(d.seq >= 1 && d.seq <= session.sent.length)) return connection.close(4007, "Invalid seq.");
    if (session.connection?.open && session.connection !== connection) session.connection.kill();
    this.resumes += 1;
    session.connection = connection;
    for (const frame of session.sent.slice(d.seq)) connection.send(frame);
    this.#dispatch(session, "RESUMED", {});
  }

  #dispatch(session: Session, t: string, d: unknown): void {
    const frame = JSON.stringify({ op: 0, d, s: session.sent.length + 1, t });
    session.sent.push(frame);
    session.connection?.send(frame);
  }
}
