/** The schema of `cluster`: several replicas that share the sockets of their upstreams through NATS. */

import * as z from "zod";
import { duration } from "./units.ts";

/** Below it, a pause of the process or of the network changes owners. */
const LEASE_MIN_MS = 500;
const LEASE_MAX_MS = 60_000;
/** The shortest age that a stream of NATS can have. */
const KEEP_MIN_MS = 100;

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(text);
  if (!isEncoded(username) || !isEncoded(password)) return false;
  const isBare = (pathname === "" || pathname === "/") && search === "" && hash === "";
  return (protocol === "nats:" || protocol === "tls:") && hostname !== "" && isBare;
}

/** A bare % in a name or a password stands for nothing. */
function isEncoded(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}

const server = z
  .string()
  .refine(isServer, "must be nats://host:port, or tls://host:port; in a name or a password, % is written %25");

export const clusterSchema = z.strictObject({
  servers: z
    .array(server)
    .min(1, "must have at least one server")
    .describe("The equal NATS servers of the cluster: nats://host:port, or tls://host:port."),
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, "must be a name of 1 to 32 small letters, digits or -")
    .prefault("default")
    .describe("The name of the cluster: replicas of one name share their upstreams."),
  credentials_file: z
    .string()
    .min(1)
    .optional()
    .describe("The file of the NATS account's credentials, or of an nkey's seed. It is read at each connection."),
  ca_file: z.string().min(1).optional().describe("The file of certificates to trust besides the system's, as PEM."),
  replicas: z
    .literal([1, 3], "must be 1 or 3")
    .prefault(1)
    .describe("How many NATS servers keep each record: 1, or 3 of a cluster of nats-server 2.10 or newer."),
  lease: duration
    .refine((ms) => ms >= LEASE_MIN_MS && ms <= LEASE_MAX_MS, `must be from ${LEASE_MIN_MS}ms to ${LEASE_MAX_MS}ms`)
    .prefault("3s")
    .describe("The time without a sign of life after which another replica takes over an upstream."),
});

export type ClusterSettings = z.output<typeof clusterSchema>;

export const ownerSetting = z
  .enum(["one", "each"])
  .optional()
  .describe("In a cluster, the replicas with a connection: one of them, which is the default, or each one by itself.");

export const handoverSetting = z
  .enum(["after_close", "overlap"])
  .optional()
  .describe(
    "At the exit of the owner, when the next replica connects: after the connection is closed, which is the default, " +
      "or before that.",
  );

export const whenAloneSetting = z
  .enum(["stop", "serve"])
  .optional()
  .describe(
    "What the owner does while it has no contact with the other replicas: stop, which is the default, since one of " +
      "them may own the upstream by then, or serve its own callers. Serve needs handover: overlap.",
  );

/** The part of an upstream that a cluster is about. */
interface InCluster {
  readonly owner?: "one" | "each" | undefined;
  readonly handover?: "after_close" | "overlap" | undefined;
  readonly when_alone?: "stop" | "serve" | undefined;
  readonly template: boolean;
}

interface Clustered {
  readonly replies: { readonly keep: number };
  readonly cluster?: unknown;
  readonly upstreams?: Readonly<Record<string, InCluster>> | undefined;
}

interface Fault {
  readonly path: readonly string[];
  readonly what: string;
}

/** The settings that need a cluster, and those that a cluster does not take. */
export function clusterFaults({ cluster, upstreams, replies }: Clustered): readonly Fault[] {
  if (cluster === undefined) {
    return Object.entries(upstreams ?? {}).flatMap(([name, settings]) =>
      given(settings, ["owner", ...SHARING]).map((key) => ({ path: ["upstreams", name, key], what: ALONE })),
    );
  }
  if (upstreams === undefined) return [{ path: ["upstreams"], what: DEMO }];
  const ofUpstreams = Object.entries(upstreams).flatMap(([name, settings]) =>
    faultsOf(settings).map(([key, what]) => ({ path: ["upstreams", name, key], what })),
  );
  return replies.keep < KEEP_MIN_MS ? [...ofUpstreams, { path: ["replies", "keep"], what: SHORT_KEEP }] : ofUpstreams;
}

/** @returns keys of the upstream, each with its fault */
function faultsOf(settings: InCluster): readonly (readonly [string, string])[] {
  const { owner, handover, when_alone, template } = settings;
  if (template) return given(settings, ["owner", ...SHARING]).map((key) => [key, NO_OWNER]);
  if (owner === "each") return given(settings, SHARING).map((key) => [key, NO_SHARED_OWNER]);
  return when_alone === "serve" && handover !== "overlap" ? [["when_alone", NO_OVERLAP]] : [];
}

/** The settings that an upstream has for its one owner. */
const SHARING = ["handover", "when_alone"] as const;

function given<Key extends keyof InCluster>(settings: InCluster, keys: readonly Key[]): readonly Key[] {
  return keys.filter((key) => settings[key] !== undefined);
}

const ALONE = "is for replicas of a cluster, and there is no `cluster` here: leave it out, or configure one";
const DEMO = "is missing: the demo has no upstream that replicas could share";
const SHORT_KEEP = `must be at least ${KEEP_MIN_MS}ms with \`cluster\`: NATS keeps nothing for less`;
const NO_OWNER = "is not for a template, whose instances stay with the replica that opened them: leave it out";
const NO_OVERLAP =
  "serve needs handover: overlap, as another replica may connect meanwhile: set both if the upstream bears that";
const NO_SHARED_OWNER = "is for an upstream with one owner, and this one has owner: each: leave one of them out";

/** A warning about what stays with one replica; undefined if nothing of the upstream does. */
export function staysAlone({ owner, template, instances }: InCluster & { instances?: unknown }) {
  if (owner === "each" || (!template && !instances)) return undefined;
  return "its instances stay with the replica that opened them: send their callers to that one";
}
