/** The liveness ladder of an open connection: three ways to detect a peer that only appears to be alive. */
import type { UpstreamSettings } from "../../config/schema.ts";

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
  /** Start of the silence while the peer has sent nothing. */
  readonly startedAt: number;
}

interface PingRung {
  readonly due: number;
  /** The proof carried by the ping in flight; undefined while none is. */
  readonly proof: string | undefined;
}

interface HeartbeatRung {
  readonly due: number;
  readonly awaitsReply: boolean;
}

export interface Due {
  readonly rung: Rung;
  readonly at: number;
  /** True if the peer counts as dead at `at`; false if it is merely time to send something. */
  readonly isPeerDeadline: boolean;
}

type Keepalive = UpstreamSettings["keepalive"];
type Heartbeat = NonNullable<Keepalive["heartbeat"]>;

/** A deadline noticed this many milliseconds late means that we were suspended or blocked, not a dead peer. */
const SUSPENDED_MS = 1_000;

export function newLadder(keepalive: Keepalive, now: number): Ladder {
  const { heartbeat } = keepalive;
  return {
    ping: idlePing(keepalive, now),
    heartbeat: heartbeat ? idleHeartbeat(heartbeat, now) : { due: Number.POSITIVE_INFINITY, awaitsReply: false },
    startedAt: now,
  };
}

function idlePing({ ping }: Keepalive, now: number): PingRung {
  return { due: now + ping, proof: undefined };
}

function idleHeartbeat({ every }: Heartbeat, now: number): HeartbeatRung {
  return { due: now + every, awaitsReply: false };
}

/** @param lastActivityAt when the peer last sent a frame or a ping on this connection */
export function nextDue({ ping, heartbeat, startedAt }: Ladder, { silence }: Keepalive, lastActivityAt: number): Due {
  const silentAt = silence === null ? Number.POSITIVE_INFINITY : Math.max(startedAt, lastActivityAt) + silence;
  const rungs: Due[] = [
    { rung: "ping", at: ping.due, isPeerDeadline: ping.proof !== undefined },
    { rung: "heartbeat", at: heartbeat.due, isPeerDeadline: heartbeat.awaitsReply },
    { rung: "silence", at: silentAt, isPeerDeadline: true },
  ];
  return rungs.reduce((earliest, due) => (due.at < earliest.at ? due : earliest));
}

export function wasSuspended({ at }: Due, now: number): boolean {
  return now - at > SUSPENDED_MS;
}

export function withPingSent(ladder: Ladder, proof: string, { pong_within }: Keepalive, now: number): Ladder {
  return { ...ladder, ping: { due: now + pong_within, proof } };
}

export function withPongReceived(ladder: Ladder, keepalive: Keepalive, now: number): Ladder {
  return { ...ladder, ping: idlePing(keepalive, now) };
}

/** Without an expected reply, a heartbeat is only sent and has no deadline. */
export function withHeartbeatSent(ladder: Ladder, { every, expect, within }: Heartbeat, now: number): Ladder {
  return { ...ladder, heartbeat: { due: now + (expect ? within : every), awaitsReply: expect !== undefined } };
}

export function withHeartbeatReply(ladder: Ladder, heartbeat: Heartbeat, now: number): Ladder {
  return { ...ladder, heartbeat: idleHeartbeat(heartbeat, now) };
}

/** How long the rung waits for the peer, in milliseconds. */
export function rungTimeoutMs(rung: Rung, { pong_within, heartbeat, silence }: Keepalive): number {
  if (rung === "ping") return pong_within;
  return (rung === "heartbeat" ? heartbeat?.within : silence) ?? 0;
}
