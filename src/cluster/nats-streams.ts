/** The streams and buckets of a cluster in NATS, as they must be, and the rights that a member needs. */
import type { Bucket, EngineSettings, LogLimits } from "./engine.ts";

export const BUCKETS: readonly Bucket[] = ["owner", "claims", "kept", "meta"];

/** Ids of entries are remembered for it. */
const DUPLICATES_NS = 120e9;

/** Twice a small number of keys is no more than the members of a large cluster may make at the same moment. */
const CLAIMS_SPARE = 1_000;

/** The part of a stream's configuration that matters here, in the words of NATS. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly retention: "limits";
  readonly storage: "file";
  readonly discard: "old" | "new";
  readonly num_replicas: number;
  readonly max_msgs?: number;
  readonly max_msgs_per_subject?: number;
  readonly max_age?: number;
  readonly max_bytes?: number;
  readonly duplicate_window: number;
  readonly allow_direct: boolean;
  readonly republish?: { readonly src: string; readonly dest: string; readonly headers_only: boolean };
  readonly metadata?: Readonly<Record<string, string>>;
}

type ClusterName = Pick<EngineSettings, "cluster">;
type Bounds = Pick<EngineSettings, "replicas" | "claimsMs" | "claimsMax" | "keptMs" | "keptBytes">;
type Kept = ClusterName & Bounds;

export function bucketStream({ cluster }: ClusterName, bucket: Bucket): string {
  return `KV_${bucketName({ cluster }, bucket)}`;
}

export function keySubject({ cluster }: ClusterName, bucket: Bucket, key: string): string {
  return `$KV.${bucketName({ cluster }, bucket)}.${key}`;
}

export function logStream({ cluster }: ClusterName, log: string): string {
  return `ss_${cluster.replaceAll("-", "_")}_log_${log}`;
}

export function logSubject({ cluster }: ClusterName, log: string): string {
  return `ss.${cluster}.log.${log}`;
}

export function hintSubject({ cluster }: ClusterName, log: string): string {
  return `ss.${cluster}.hint.${log}`;
}

/** `allow_direct: false`: a value comes from the leader, never from a replica that lags behind. */
export function bucketConfig(settings: Kept, bucket: Bucket): StreamConfig {
  const { max_age: maxAgeNs, ...bounds } = boundsOf(settings, bucket);
  return {
    name: bucketStream(settings, bucket),
    subjects: [keySubject(settings, bucket, ">")],
    retention: "limits",
    storage: "file",
    discard: bucket === "kept" ? "old" : "new",
    num_replicas: settings.replicas,
    max_msgs_per_subject: 1,
    ...bounds,
    ...(maxAgeNs !== undefined && { max_age: maxAgeNs }),
    duplicate_window: Math.min(DUPLICATES_NS, maxAgeNs ?? DUPLICATES_NS),
    allow_direct: false,
  };
}

/**
 * A claim that makes room for another could be sent twice; a kept reply costs its caller only the reply.
 *
 * From 2.12 on, a stream with copies that has its most messages takes no new value of a key either, so that no request
 * could end any more. Members therefore count the keys, and the server's bound lies where only a fault leads.
 */
function boundsOf(
  { claimsMs, claimsMax, keptMs, keptBytes }: Bounds,
  bucket: Bucket,
): Pick<StreamConfig, "max_age" | "max_msgs" | "max_bytes"> {
  if (bucket === "claims") return { max_age: claimsMs * 1e6, max_msgs: 2 * claimsMax + CLAIMS_SPARE };
  return bucket === "kept" ? { max_age: keptMs * 1e6, max_bytes: keptBytes } : {};
}

export function logConfig(
  settings: Pick<Kept, "cluster" | "replicas">,
  log: string,
  { bytes }: LogLimits,
): StreamConfig {
  const subject = logSubject(settings, log);
  return {
    name: logStream(settings, log),
    subjects: [subject],
    retention: "limits",
    storage: "file",
    discard: "old",
    num_replicas: settings.replicas,
    max_bytes: bytes,
    duplicate_window: DUPLICATES_NS,
    allow_direct: true,
    republish: { src: subject, dest: hintSubject(settings, log), headers_only: true },
  };
}

/** Bounds and copies: another value is no fault of the service, though not what its configuration says. */
const ADJUSTABLE = new Set<keyof StreamConfig>([
  "max_age",
  "max_msgs",
  "max_bytes",
  "num_replicas",
  "duplicate_window",
  "storage",
]);

export interface Differences {
  /** Names what makes the stream useless, if anything. */
  readonly mistake: string | undefined;
  /** Names what is only not as configured, if anything. */
  readonly remark: string | undefined;
}

/** Compares a stream with what it must be: servers accept settings that they do not know, and leave them out. */
export function compareStream(wanted: StreamConfig, found: Partial<StreamConfig>): Differences {
  const differing = (Object.keys(wanted) as (keyof StreamConfig)[]).filter((key) => !same(wanted[key], found[key]));
  const tell = (keys: readonly (keyof StreamConfig)[]) =>
    keys
      .map((key) => `${key} ${JSON.stringify(found[key] ?? null)} instead of ${JSON.stringify(wanted[key])}`)
      .join(", ");
  const wrong = differing.filter((key) => !ADJUSTABLE.has(key));
  const adjustable = differing.filter((key) => ADJUSTABLE.has(key));
  return {
    mistake:
      wrong.length === 0
        ? undefined
        : `the stream ${wanted.name} in NATS has ${tell(wrong)}: delete it, or name the cluster differently`,
    remark: adjustable.length === 0 ? undefined : `the stream ${wanted.name} in NATS has ${tell(adjustable)}`,
  };
}

/** Servers leave out what is false or empty. */
function same(wanted: unknown, found: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return (found ?? false) === (wanted ?? false);
  const others = (found ?? {}) as Record<string, unknown>;
  return Object.entries(wanted).every(([key, value]) => same(value, others[key]));
}

export interface MemberRights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** The least rights of a member whose buckets and logs are there already. */
export function memberRights({ cluster }: ClusterName, logs: readonly string[]): MemberRights {
  const buckets = BUCKETS.map((bucket) => bucketStream({ cluster }, bucket));
  const streams = logs.map((log) => logStream({ cluster }, log));
  return {
    publish: [
      `ss.${cluster}.>`,
      `_INBOX.ss.${cluster}.>`,
      ...BUCKETS.map((bucket) => keySubject({ cluster }, bucket, ">")),
      ...[...buckets, ...streams].map((stream) => `$JS.API.STREAM.INFO.${stream}`),
      ...buckets.map((stream) => `$JS.API.STREAM.MSG.GET.${stream}`),
      ...streams.map((stream) => `$JS.API.DIRECT.GET.${stream}`),
    ],
    subscribe: [`ss.${cluster}.>`, `_INBOX.ss.${cluster}.>`],
  };
}

/** Bucket names of NATS have no hyphen here, so that a right for one is a single token. */
function bucketName({ cluster }: ClusterName, bucket: Bucket): string {
  return `ss_${cluster.replaceAll("-", "_")}_${bucket}`;
}
