/** The sockets of an upstream that are not gone yet. */

import type { UpstreamSettings } from "../../config/schema.ts";
import type { CapturedScalars } from "../../core/connection/captured-values.ts";
import type { Disconnect } from "../../core/connection/disconnect.ts";
import { NO_TRAFFIC, type Traffic } from "../../core/connection/liveness.ts";
import { UpgradeCookies } from "../../core/connection/upgrade-cookies.ts";
import type { Network } from "../../net/connect.ts";
import type { FarewellStep } from "../../protocols/preset.ts";
import type { Body } from "../../protocols/protocol.ts";
import { joinedSecrets, outgoingOf, SECRET_MIN, secretsOf } from "../../secrets/secrets.ts";
import type { CloseCounts } from "../contract.ts";
import type { Work } from "./mark.ts";
import { openRedirected } from "./redirected-socket.ts";
import { asTheyAre, type Resolved, type ResolveSettings, settingsResolver } from "./resolve-placeholders.ts";
import type { Agreed, MayWrite, Socket, SocketEvents } from "./socket.ts";
import { openUnresolved } from "./unresolved-socket.ts";

/** A connection that was left for its successor and still owes replies. */
interface Retired {
  /** Ends the wait for the replies. */
  readonly timer: NodeJS.Timeout;
  /** The payload of its last ping. */
  readonly proof: string;
}

interface SocketsEnvironment {
  readonly network: Network;
  readonly work: Work;
  readonly mayWrite?: MayWrite | undefined;
  threw(what: string, error: unknown): void;
}

/** There may be two sockets at a time, while one makes way for its successor. */
export class Sockets {
  readonly #name: string;
  #settings: UpstreamSettings;
  #resolved: Resolved;
  /** The address of the next connection, if the upstream has named one. */
  #named: string | undefined;
  #resolve: ResolveSettings | undefined;
  readonly #env: SocketsEnvironment;
  readonly #sockets = new Map<number, Socket>();
  /** The settings that each of them was opened with. */
  readonly #openedWith = new Map<number, Resolved>();
  readonly #retired = new Map<number, Retired>();
  readonly #cookies = new UpgradeCookies();

  constructor(name: string, settings: UpstreamSettings, env: SocketsEnvironment) {
    this.#name = name;
    this.#settings = settings;
    this.#resolved = asTheyAre(settings);
    this.#resolve = settingsResolver(name, settings, env.threw);
    this.#env = env;
  }

  /** The settings of the newest attempt, with all placeholders resolved. */
  get resolved(): Resolved {
    return this.#resolved;
  }

  /** The farewell of a connection: that of its own settings, whatever a later attempt resolves. */
  farewellOf(connection: number): readonly FarewellStep[] {
    return this.#openedWith.get(connection)?.settings.farewell ?? [];
  }

  /** The next attempt follows these settings; of those that an attempt resolves, the present ones count until then. */
  reconfigure(settings: UpstreamSettings): void {
    this.#settings = settings;
    this.#named = undefined;
    this.#cookies.clear();
    this.#resolve = settingsResolver(this.#name, settings, this.#env.threw);
    const { settings: present } = this.#resolved;
    const keepalive = { ...settings.keepalive, heartbeat: present.keepalive.heartbeat };
    this.#resolved = {
      ...this.#resolved,
      settings: { ...settings, ...outgoingOf(present), keepalive } as typeof settings,
    };
  }

  /** True if the next connection goes to an address that the upstream has named. */
  get hasNamed(): boolean {
    return this.#named !== undefined;
  }

  /** Lets the next connection go to this address, and only that one. */
  follow(url: string): void {
    this.#named = url;
    this.#resolved = withSecretsOf(this.#resolved, url);
  }

  get size(): number {
    return this.#sockets.size;
  }

  /**
   * When the connection has dropped, `gone` must be called.
   * @param values those that the connection begins with
   * @param followsNamed false if an address that the upstream has named is not for this attempt
   * @returns the address that the upstream has named, if the attempt goes there
   */
  open(
    connection: number,
    withinMs: number,
    values: CapturedScalars,
    followsNamed: boolean,
    events: SocketEvents,
  ): string | undefined {
    const url = followsNamed ? this.#named : undefined;
    this.#named = undefined;
    const target = {
      settings: this.#settings,
      url,
      withinMs,
      network: this.#env.network,
      mayWrite: this.#env.mayWrite,
      cookies: this.#settings.cookies ? this.#cookies : undefined,
      onCookies: () => {
        this.#resolved = this.#withCookies(this.#resolved);
      },
      onRedirect: (to: string) => {
        this.#resolved = withSecretsOf(this.#resolved, to);
      },
    };
    const marked = markedEvents(events, this.#env.work);
    const onResolved = (resolved: Resolved) => {
      // Older connections still send theirs, in a farewell: they must stay hidden.
      const older = [...this.#openedWith.values()].flatMap(({ secrets }) => secrets);
      this.#openedWith.set(connection, resolved);
      const secrets = joinedSecrets(resolved.secrets, older);
      this.#resolved = this.#withCookies(withSecretsOf({ ...resolved, secrets }, url));
    };
    if (!this.#resolve) onResolved(asTheyAre(this.#settings));
    const socket = this.#resolve
      ? openUnresolved(this.#resolve, { values, named: url }, target, onResolved, marked)
      : openRedirected(target, marked);
    this.#sockets.set(connection, socket);
    return url;
  }

  /** Hides the cookies that the upstream has set. */
  #withCookies(resolved: Resolved): Resolved {
    const values = this.#cookies.values.filter(({ length }) => length >= SECRET_MIN);
    return { ...resolved, secrets: joinedSecrets(resolved.secrets, values) };
  }

  /** @returns the end of the connection, as the exit reports it */
  gone(connection: number, drop: Disconnect): CloseCounts {
    const by = this.#sockets.get(connection)?.closedBy ?? null;
    this.#sockets.delete(connection);
    this.#openedWith.delete(connection);
    if (drop.reason === "closed") return { code: drop.code, by, forced: false };
    return { code: null, by, forced: drop.reason === "unclosed" };
  }

  /** Bytes handed to the socket and not yet taken by the operating system. */
  buffered(connection: number): number {
    return this.#sockets.get(connection)?.buffered ?? 0;
  }

  /** The byte counts of a connection, which are zero before its socket is there. */
  traffic(connection: number): Traffic {
    return this.#sockets.get(connection)?.traffic ?? NO_TRAFFIC;
  }

  /** The address of an open connection, and the subprotocol that was agreed on. */
  agreed(connection: number): Agreed | undefined {
    return this.#sockets.get(connection)?.agreed;
  }

  /** @returns false if the socket did not take the frame @param onTaken as for `Connection.write` */
  write(connection: number, frame: Body, onTaken?: () => void): boolean {
    return this.#sockets.get(connection)?.write(frame, onTaken) ?? false;
  }

  ping(connection: number, proof: string): void {
    this.#sockets.get(connection)?.ping(proof);
  }

  /** Reads no more from the connection until `release`. */
  hold(connection: number): void {
    this.#sockets.get(connection)?.hold();
  }

  release(connection: number): void {
    this.#sockets.get(connection)?.release();
  }

  close(connection: number, code: number, withinMs: number): void {
    this.#sockets.get(connection)?.close(code, withinMs);
  }

  destroy(connection: number): void {
    this.#sockets.get(connection)?.destroy();
  }

  /**
   * Keeps a connection that was left for its successor until it owes no reply, and calls `onOverdue` if that takes
   * longer than `withinMs`. No request is written to it any more, so one ping, with the payload `proof`, proves the
   * delivery of each, unless `keepalive.ping` is off. A farewell comes later, and needs no proof.
   */
  retire(connection: number, withinMs: number, proof: string, onOverdue: () => void): void {
    this.#retired.set(connection, { timer: setTimeout(onOverdue, withinMs), proof });
    if (this.#settings.keepalive.ping !== null) this.ping(connection, proof);
  }

  /** True if this is the pong of a retired connection's last ping. */
  isLastProof(connection: number, proof: string): boolean {
    return this.#retired.get(connection)?.proof === proof;
  }

  get anyRetired(): boolean {
    return this.#retired.size > 0;
  }

  isRetired(connection: number): boolean {
    return this.#retired.has(connection);
  }

  /** Calls `leave` for each retired connection that owes no reply any more. */
  leaveRetired(owes: (connection: number) => boolean, leave: (connection: number) => void): void {
    for (const [connection, { timer }] of this.#retired) {
      if (owes(connection)) continue;
      clearTimeout(timer);
      this.#retired.delete(connection);
      leave(connection);
    }
  }

  /** Calls `leave` for every connection except the current one, for the exit. */
  leaveOthers(current: number, leave: (connection: number, wasRetired: boolean) => void): void {
    const retired = new Set(this.#retired.keys());
    this.leaveRetired(
      () => false,
      () => {},
    );
    for (const connection of [...this.#sockets.keys()])
      if (connection !== current) leave(connection, retired.has(connection));
  }
}

/** The same events, each handled under the upstream's mark. */
function markedEvents(events: SocketEvents, work: Work): SocketEvents {
  return {
    opened: () => work(events.opened, undefined),
    frame: (frame) => work(events.frame, frame),
    pingSent: (proof) => work(events.pingSent, proof),
    pong: (proof) => work(events.pong, proof),
    pinged: () => work(events.pinged, undefined),
    dropped: (drop) => work(events.dropped, drop),
  };
}

/** Hides the secrets of an address that the upstream has named. */
function withSecretsOf(resolved: Resolved, url: string | undefined): Resolved {
  if (url === undefined) return resolved;
  return { ...resolved, secrets: secretsOf({ ...resolved.settings, url }, resolved.secrets) };
}
