/** The liveness ladder of an open connection: three ways to detect a peer that only appears to be alive. */
import type { UpstreamSettings } from "../../config/schema.ts";

/**
 * Byte counts of a connection. On a slow line a pong, or the reply to a heartbeat, waits behind a large frame, so a
 * deadline that passes while bytes move proves nothing: it begins again.
 */
export interface Traffic {
  /** Bytes read. */
  readonly read: number;
  /** Bytes read when the last frame was complete: what came since is part of a frame that is still arriving. */
  readonly framed: number;
  /** When the last frame was complete that took several reads: what was sent after it has waited behind it. */
  readonly longFrameEndedAt: number;
  /** Changes whenever the operating system takes bytes. */
  readonly sent: number;
}

export const NO_TRAFFIC: Traffic = { read: 0, framed: 0, longFrameEndedAt: Number.NEGATIVE_INFINITY, sent: 0 };

/**
 * - `ping`: the peer's WebSocket endpoint must send a pong.
 * - `heartbeat`: the peer's application must reply to a message.
 * - `silence`: the peer must send a frame or a ping. Pongs do not count.
 * Each rung is due at one moment, so one timer, set for the nearest, is enough.
 */
export type Rung = "ping" | "heartbeat" | "silence";

export interface Ladder {
  readonly ping: PingRung;
  readonly heartbeat: HeartbeatRung;
  readonly silence: SilenceRung;
}

interface PingRung {
  readonly due: number;
  /** The proof carried by the last ping; undefined before it, and once its pong has come. */
  readonly proof: string | undefined;
  /** The state of that ping while its pong is the sign of life that the rung awaits. */
  readonly awaits: "its way out" | "pong" | undefined;
  /** The traffic when the rung last looked. */
  readonly seen: number;
}

interface HeartbeatRung {
  readonly due: number;
  readonly awaitsReply: boolean;
  /** The bytes read when the rung last looked. */
  readonly seen: number;
}

interface SilenceRung {
  /** Start of the silence while the peer has finished no frame. */
  readonly from: number;
  /** The bytes read when the rung last looked. */
  readonly seen: number;
}

export interface Due {
  readonly rung: Rung;
  readonly at: number;
  /** True if the peer counts as dead at `at`; false if it is merely time to send something. */
  readonly isPeerDeadline: boolean;
}

/** The settings once captured values are put in. `every` is infinite while one of them is not there. */
export type Keepalive = Omit<UpstreamSettings["keepalive"], "heartbeat"> & { readonly heartbeat: Heartbeat | null };
type Heartbeat = Omit<NonNullable<UpstreamSettings["keepalive"]["heartbeat"]>, "every"> & { readonly every: number };

/** A deadline noticed this many milliseconds late means that we were suspended or blocked, not a dead peer. */
const SUSPENDED_MS = 1_000;

export function newLadder(keepalive: Keepalive, now: number): Ladder {
  const { heartbeat } = keepalive;
  return {
    ping: idlePing(keepalive, now),
    heartbeat: idleHeartbeat(heartbeat?.every ?? Number.POSITIVE_INFINITY, now),
    silence: { from: now, seen: 0 },
  };
}

function idlePing({ ping }: Keepalive, now: number, proof?: string): PingRung {
  return { due: now + (ping ?? Number.POSITIVE_INFINITY), proof, awaits: undefined, seen: 0 };
}

function idleHeartbeat(every: number, now: number): HeartbeatRung {
  return { due: now + every, awaitsReply: false, seen: 0 };
}

/** @param lastActivityAt when the peer last sent a frame or a ping on this connection */
export function nextDue(ladder: Ladder, keepalive: Keepalive, lastActivityAt: number): Due {
  const { ping, heartbeat, silence } = ladder;
  const silentAt = Math.max(silence.from, lastActivityAt) + (keepalive.silence ?? Number.POSITIVE_INFINITY);
  const rungs: Due[] = [
    { rung: "ping", at: ping.due, isPeerDeadline: ping.awaits !== undefined },
    { rung: "heartbeat", at: heartbeat.due, isPeerDeadline: heartbeat.awaitsReply },
    { rung: "silence", at: silentAt, isPeerDeadline: true },
  ];
  return rungs.reduce((earliest, due) => (due.at < earliest.at ? due : earliest));
}

export function wasSuspended({ at }: Due, now: number): boolean {
  return now - at > SUSPENDED_MS;
}

/** The ping was handed to the socket, where it may wait behind other frames. */
export function withPing(
  ladder: Ladder,
  proof: string,
  { pong_within }: Keepalive,
  { read, sent }: Traffic,
  now: number,
): Ladder {
  return { ...ladder, ping: { due: now + pong_within, proof, awaits: "its way out", seen: read + sent } };
}

/** The operating system has taken the ping: from here on, only bytes read are a sign of life. */
export function withPingSent(ladder: Ladder, { pong_within }: Keepalive, { read }: Traffic, now: number): Ladder {
  return { ...ladder, ping: { ...ladder.ping, due: now + pong_within, awaits: "pong", seen: read } };
}

/**
 * Any pong is a sign of life, and so postpones the next ping: some peers send pongs unprompted, or with another payload
 * than the ping's, or with none.
 * @param proof the proof of the last ping, if this was not its pong
 */
export function withPong(ladder: Ladder, keepalive: Keepalive, now: number, proof?: string): Ladder {
  return { ...ladder, ping: idlePing(keepalive, now, proof) };
}

/** Without an expected reply, a heartbeat is only sent and has no deadline. */
export function withHeartbeatSent(
  ladder: Ladder,
  { every, expect, within }: Heartbeat,
  { read }: Traffic,
  now: number,
): Ladder {
  const due = now + (expect ? within : every);
  return { ...ladder, heartbeat: { due, awaitsReply: expect !== undefined, seen: read } };
}

export function withHeartbeatReply(ladder: Ladder, { every }: Heartbeat, now: number): Ladder {
  return { ...ladder, heartbeat: idleHeartbeat(every, now) };
}

/** The time between heartbeats has changed, or a value that they need has come. */
export function withHeartbeatInterval(ladder: Ladder, { every }: Heartbeat, now: number): Ladder {
  const { heartbeat } = ladder;
  if (heartbeat.awaitsReply) return ladder;
  const due = Number.isFinite(every) ? Math.min(heartbeat.due, now + every) : every;
  return { ...ladder, heartbeat: { ...heartbeat, due } };
}

/**
 * The ladder with a new deadline for the rung that is due, if bytes have moved since it last looked; otherwise
 * undefined, and the peer is dead. Any byte keeps the ping from blaming the peer. The others await a frame, so that
 * pongs and the frames of others do not count, but only the bytes of a frame that is still arriving. The reply to a
 * heartbeat may be the next frame behind a long one, and has its time from the end of that.
 */
export function withBytesMoved(
  ladder: Ladder,
  { rung }: Due,
  keepalive: Keepalive,
  { read, framed, longFrameEndedAt, sent }: Traffic,
  now: number,
): Ladder | undefined {
  const { ping, heartbeat } = ladder;
  if (rung === "ping") {
    const seen = ping.awaits === "pong" ? read : read + sent;
    return seen === ping.seen ? undefined : { ...ladder, ping: { ...ping, due: now + keepalive.pong_within, seen } };
  }
  const isArriving = read > Math.max(framed, ladder[rung].seen);
  if (rung === "silence") return isArriving ? { ...ladder, silence: { from: now, seen: read } } : undefined;
  const due = (isArriving ? now : longFrameEndedAt) + rungTimeoutMs(rung, keepalive);
  return due > now ? { ...ladder, heartbeat: { ...heartbeat, due, seen: read } } : undefined;
}

/** How long the rung waits for the peer, in milliseconds. */
export function rungTimeoutMs(rung: Rung, { pong_within, heartbeat, silence }: Keepalive): number {
  if (rung === "ping") return pong_within;
  return (rung === "heartbeat" ? heartbeat?.within : silence) ?? 0;
}
