import type { UpstreamSettings } from "../../config/schema.ts";

/**
 * The liveness ladder of an open connection: three ways to find out that a peer only seems to be there.
 * - `ping`: its WebSocket endpoint answers, or does not.
 * - `heartbeat`: its application answers a message, or does not.
 * - `silence`: it has said nothing of its own for too long.
 * Each rung knows one moment at which it must be looked at; whoever keeps the time needs one timer, for the nearest.
 */
export type Rung = "ping" | "heartbeat" | "silence";

export interface Ladder {
  readonly ping: PingRung;
  readonly heartbeat: { readonly due: number; readonly asked: boolean };
  /** From when on silence counts. */
  readonly since: number;
}

interface PingRung {
  readonly due: number;
  /** The proof that the ping on its way asks for; undefined while none is. */
  readonly proof: string | undefined;
}

export interface Due {
  readonly rung: Rung;
  readonly at: number;
  /** Whether the peer is dead when this moment comes; otherwise there is only something to be asked. */
  readonly blames: boolean;
}

type Keepalive = UpstreamSettings["keepalive"];

/** Who looks at a deadline this much after it, in milliseconds, was suspended or blocked, and must not blame the peer. */
const SLEPT_MS = 1_000;

export function firstLadder({ ping, heartbeat }: Keepalive, now: number): Ladder {
  return {
    ping: { due: now + ping, proof: undefined },
    heartbeat: { due: now + (heartbeat?.every ?? Number.POSITIVE_INFINITY), asked: false },
    since: now,
  };
}

/** @param heardAt when the peer last said something of its own on this connection */
export function nearest({ ping, heartbeat, since }: Ladder, { silence }: Keepalive, heardAt: number): Due {
  const quiet = silence === null ? Number.POSITIVE_INFINITY : Math.max(since, heardAt) + silence;
  const all: Due[] = [
    { rung: "ping", at: ping.due, blames: ping.proof !== undefined },
    { rung: "heartbeat", at: heartbeat.due, blames: heartbeat.asked },
    { rung: "silence", at: quiet, blames: true },
  ];
  return all.reduce((least, due) => (due.at < least.at ? due : least));
}

export function slept({ at }: Due, now: number): boolean {
  return now - at > SLEPT_MS;
}

export function pinged(ladder: Ladder, proof: string, { pong_within }: Keepalive, now: number): Ladder {
  return { ...ladder, ping: { due: now + pong_within, proof } };
}

export function ponged(ladder: Ladder, { ping }: Keepalive, now: number): Ladder {
  return { ...ladder, ping: { due: now + ping, proof: undefined } };
}

/** The heartbeat goes out. One whose answer nobody expects is only sent. */
export function beaten(ladder: Ladder, { every, expect, within }: Heartbeat, now: number): Ladder {
  return { ...ladder, heartbeat: { due: now + (expect ? within : every), asked: expect !== undefined } };
}

export function answered(ladder: Ladder, { every }: Heartbeat, now: number): Ladder {
  return { ...ladder, heartbeat: { due: now + every, asked: false } };
}

type Heartbeat = NonNullable<Keepalive["heartbeat"]>;

/** How long the rung waited in vain, in milliseconds. */
export function patience(rung: Rung, { pong_within, heartbeat, silence }: Keepalive): number {
  if (rung === "ping") return pong_within;
  return (rung === "heartbeat" ? heartbeat?.within : silence) ?? 0;
}
