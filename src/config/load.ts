/**
 * The checked configuration, loaded from flags, environment and file.
 *
 * Flags win over the environment, which wins over the file.
 */

import { readFile as readFromDisk } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { faultsOfFrames } from "../protocols/configured-faults.ts";
import { preparePatterns } from "../protocols/lazy-pattern.ts";
import { preset } from "../protocols/presets.ts";
import { findCertificates, type ReadFile } from "./certificates.ts";
import { checkWhole } from "./check-whole.ts";
import { staysAlone } from "./cluster-settings.ts";
import type { Flags, Given } from "./commandline.ts";
import { readSetting } from "./commandline.ts";
import type { Environment } from "./environment.ts";
import { exposedFlags, exposedVariables } from "./exposed.ts";
import type { ConfigFile } from "./file.ts";
import type { ListenCertificate } from "./listen-certificate.ts";
import { isLocal } from "./listen-settings.ts";
import { refuseMistaken } from "./mistaken-variables.ts";
import type { Override } from "./overrides.ts";
import { applyOverrides, overrideAt, readOverrides } from "./overrides.ts";
import { resolveModule, resolvePath } from "./paths.ts";
import type { Checked, Path, Problem } from "./problems.ts";
import { ConfigError, check, dotted } from "./problems.ts";
import { isModulePath } from "./protocol-settings.ts";
import { withEnvProxies } from "./proxy-settings.ts";
import type {
  ClusterSettings,
  ListenSettings,
  LogSettings,
  ProcessLimits,
  QuotaSettings,
  ReplySettings,
  ShutdownBounds,
  UpstreamSettings,
} from "./schema.ts";
import { configSchema, logSchema, shutdownTotal } from "./schema.ts";
import { API_TOKENS, readTokens, SHUTDOWN_TOKENS } from "./tokens.ts";
import { isLoopback, isPlaintextLogin } from "./wire.ts";

/** The whole configuration of a service. Durations are milliseconds, sizes bytes, paths absolute. */
export interface LoadedConfig {
  readonly listen: ListenSettings;
  /** The certificate of `listen.tls`; undefined without it. */
  readonly certificate: ListenCertificate | undefined;
  /** Upstreams by name, in the file's order; empty for the demo. */
  readonly upstreams: ReadonlyMap<string, UpstreamSettings>;
  /** Undefined for a replica that is alone. */
  readonly cluster: ClusterSettings | undefined;
  readonly replies: ReplySettings;
  readonly limits: ProcessLimits;
  readonly quota: QuotaSettings;
  readonly shutdown: ShutdownBounds;
  /** True to reload when a file of the configuration has changed. */
  readonly watch: boolean;
  /** Bearer tokens of the API; if there are none, the API is open to this machine. */
  readonly tokens: readonly string[];
  /** Bearer tokens of `/shutdown`: by default those of the API. */
  readonly shutdownTokens: readonly string[];
  readonly insecure: boolean;
  readonly log: LogSettings;
  /** True if no upstream is configured. */
  readonly demo: boolean;
  /** True if a secret is written out on the command line, which the list of processes shows. */
  readonly secretOnCommandLine: boolean;
  /** Sentences for the log about settings that are allowed but risky. */
  readonly warnings: readonly string[];
  /** Returns the file with the flags and variables over it, as they are written, without defaults. */
  written(): Readonly<Record<string, unknown>>;
  /** Sources: the paths of the files that were read, and the variables that were named as `${NAME}`. */
  readonly sources: { readonly files: readonly string[]; readonly variables: readonly string[] };
}

export interface LoadInput {
  readonly flags?: Flags;
  /**
   * Read by name only. Variables that hold secrets are deleted from it (threat T8): to load it again, give one that
   * remembers them.
   */
  readonly env: Environment;
  /** Reads a file's text; rejects as `node:fs/promises` does. */
  readonly readFile?: (path: string) => Promise<string>;
  /** Base of relative paths in flags and variables: by default the current folder. */
  readonly cwd?: string;
}

/** The default grace period of `docker stop`, in milliseconds. That of Kubernetes is three times as long. */
const CONTAINER_GRACE_MS = 10_000;

/** Variables of ours that may hold secrets. */
const SECRET_VARIABLES = [
  "SIDESOCKET_TOKEN",
  "SIDESOCKET_SHUTDOWN_TOKEN",
  "SIDESOCKET_UPSTREAM_HEADER",
  "SIDESOCKET_UPSTREAM_URL",
  "SIDESOCKET_CLUSTER_SERVERS",
];

/**
 * Loads the configuration.
 * @throws ConfigError with a line for each problem: its key, flag or variable, its place, and what is wrong
 */
export async function loadConfig({ flags = {}, env, readFile, cwd = "." }: LoadInput): Promise<LoadedConfig> {
  const files: string[] = [];
  const read = readerOf(readFile ?? ((path) => readFromDisk(path, "utf8")), cwd, files);
  const warnings: string[] = [];
  const warn = (warning: string): unknown => warnings.push(warning);

  const [given] = readSetting("config", flags, env);
  const file = given && (await readConfigFile(given, read, env));
  const content = file?.value ?? {};
  const overrides = readOverrides(flags, env, content);
  applyOverrides(content, overrides.list);
  const proxies = withEnvProxies(content["upstreams"], env);
  if (proxies.variables.length > 0) content["upstreams"] = proxies.upstreams;
  const where = locator(file, overrides.list);
  await preparePatterns(content);
  const config = demand(await checkWhole(configSchema, content), where);
  const log = readLog(flags, env);

  const upstreams = new Map<string, UpstreamSettings>();
  const folder = resolvePath(given === undefined ? "." : dirname(given.value), cwd);
  for (const [name, settings] of Object.entries(config.upstreams ?? {})) {
    const path = ["upstreams", name];
    await checkFrames(settings, path, where);
    await checkParams(settings, path, where);
    const protocolFrom = overrideAt([...path, "protocol"], overrides.list) === undefined ? folder : cwd;
    upstreams.set(name, {
      ...settings,
      ...(await findCertificates(settings, folder, (key) => where([...path, ...key]), read)),
      ...(await findModule("protocol", settings, protocolFrom, where([...path, "protocol"]), read)),
      ...(await findModule("credentials", settings, folder, where([...path, "credentials"]), read)),
    });
  }

  const ofListen = (...key: string[]) => where(["listen", ...key]);
  const { path, tls } = config.listen;
  const socketFolder = overrideAt(["listen", "path"], overrides.list) === undefined ? folder : cwd;
  // Loaded only here: most services have no certificate.
  const secured =
    tls && (await (await import("./listen-certificate.ts")).readListenTls(tls, folder, ofListen, read, warn));
  const listen: ListenSettings = {
    ...config.listen,
    ...(path !== undefined && { path: findSocket(path, socketFolder, ofListen("path")) }),
    ...(secured && { tls: secured.tls }),
  };

  const cluster = config.cluster && (await findClusterFiles(config.cluster, folder, cwd, where, overrides.list, read));

  const tokens = await readTokens(API_TOKENS, flags, env, read, warn);
  const own = await readTokens(SHUTDOWN_TOKENS, flags, env, read, warn);
  const insecure = flags.insecure ?? false;
  if (!isLocal(listen) && tokens.length === 0) {
    const problem = `${ofListen("host")}: ${listen.host} is reachable from other machines`;
    if (!insecure)
      throw new ConfigError(`${problem}: set a token (SIDESOCKET_TOKEN or --token-file), or allow it with --insecure`);
    warn(`${problem}, and there is no token (--insecure)`);
  }

  for (const [name, { instances }] of tokens.length > 0 ? upstreams : []) {
    if (instances?.credential?.toLowerCase() !== "authorization") continue;
    const place = where(["upstreams", name, "instances", "credential"]);
    const cure = "take another header, and write ${param:credential} where the upstream wants it";
    throw new ConfigError(`${place}: Authorization has a token of this API, which the upstream must not see: ${cure}`);
  }

  const { metrics } = config.listen;
  if (metrics && !isLoopback(metrics.host) && !metrics.open && tokens.length === 0) {
    const problem = `${where(["listen", "metrics", "host"])}: ${metrics.host} is reachable from other machines`;
    const cure = "set a token (SIDESOCKET_TOKEN or --token-file), or allow it with `open: true` beside it";
    throw new ConfigError(`${problem}: ${cure}`);
  }

  for (const [name, { proxy, webhooks }] of upstreams) {
    [proxy, ...webhooks.map((webhook) => webhook.proxy)].forEach((each, index) => {
      if (!each || !isPlaintextLogin(each)) return;
      const at = index === 0 ? [] : ["webhooks", index - 1];
      const why = `a proxy of ${each.scheme}:// is sent its password in the clear`;
      warn(`${where(["upstreams", name, ...at, "proxy"])}: ${why}: use an https:// proxy where there is one`);
    });
  }

  for (const [name, settings] of cluster ? upstreams : []) {
    const warning = staysAlone(settings);
    if (warning !== undefined) warn(`${where(["upstreams", name, "instances"])}: ${warning}`);
  }

  const shown = exposedFlags(flags);
  if (shown.length > 0) {
    const files = cureOf(shown, "--cluster", "${file:…} in a configuration", "--cluster-credentials-file");
    const cure = `use a variable or, better, a file: ${files}`;
    warn(`${shown.join(", ")}: other users see a secret on the command line in the list of processes: ${cure}`);
  }
  const secretVariables = [...(file?.secretVariables ?? []), ...overrides.variables];
  const exposed = exposedVariables(env, secretVariables);
  if (exposed.length > 0) {
    const of = ["SIDESOCKET_CLUSTER_SERVERS", "SIDESOCKET_TOKEN_FILE, ${file:…}"] as const;
    const cure = `use files: ${cureOf(exposed, ...of, "SIDESOCKET_CLUSTER_CREDENTIALS_FILE")}`;
    warn(`${exposed.join(", ")}: other processes of this user can read a secret in the environment: ${cure}`);
  }

  refuseMistaken(env, [...(file?.variables ?? []), ...overrides.variables, ...proxies.variables]);

  const total = shutdownTotal(config.shutdown);
  if (total > CONTAINER_GRACE_MS) {
    const grace = "a container's default grace period is 10 s (Docker) or 30 s (Kubernetes), after which it is killed";
    warn(`${where(["shutdown"])}: the bounds add up to ${total / 1_000} s: ${grace}`);
  }

  for (const name of [...SECRET_VARIABLES, ...secretVariables]) {
    if (env[name] !== undefined) delete env[name];
  }
  return {
    listen,
    certificate: secured?.certificate,
    upstreams,
    cluster,
    replies: config.replies,
    limits: config.limits,
    quota: config.quota,
    shutdown: config.shutdown,
    watch: config.watch,
    tokens,
    shutdownTokens: own.length > 0 ? own : tokens,
    insecure,
    log,
    demo: upstreams.size === 0,
    secretOnCommandLine: shown.length > 0,
    warnings,
    written() {
      const written = file?.written() ?? {};
      applyOverrides(written, overrides.list, true);
      return written;
    },
    sources: {
      files,
      variables: [...new Set([...(file?.variables ?? []), ...overrides.variables, ...proxies.variables])],
    },
  };
}

/** Names the source of a value: `--port`, `PORT`, or `file.yaml:3:5: listen.port`. */
type Locate = (path: Path, part?: Problem["part"]) => string;

/** Reads and parses the file. The parser is loaded only here: it is large, and most starts have no file. */
async function readConfigFile(given: Given, read: ReadFile, env: Environment): Promise<ConfigFile> {
  const text = await read(given);
  const { parseConfigFile } = await import("./file.ts");
  return parseConfigFile(text, given.value, env);
}

/** @param files collects the path of each file that is read */
export function readerOf(readFile: (path: string) => Promise<string>, cwd: string, files: string[]): ReadFile {
  return async ({ value, from }) => {
    const path = resolvePath(value, cwd);
    try {
      const text = await readFile(path);
      files.push(path);
      return text;
    } catch (cause) {
      throw new ConfigError(`${from}: cannot read ${value}: ${reason(cause)}`, { cause });
    }
  };
}

function reason(cause: unknown): string {
  const { code, name } = cause as { code?: unknown; name?: unknown };
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "it is a directory";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (name === "NotCapable") return "Deno needs --allow-read for it";
  return typeof code === "string" ? code : "unknown reason";
}

function locator(file: ConfigFile | undefined, overrides: readonly Override[]): Locate {
  return (path, part = "value") => {
    const override = overrideAt(path, overrides);
    if (override !== undefined) return override.from;
    return file === undefined ? dotted(path) : [file.locate(path, part), dotted(path)].filter(Boolean).join(": ");
  };
}

function demand<Output>(checked: Checked<Output>, where: Locate): Output {
  if ("value" in checked) return checked.value;
  throw new ConfigError(checked.problems.map(({ path, part, what }) => `${where(path, part)}: ${what}`));
}

export function readLog(flags: Flags, env: Environment): LogSettings {
  const [level] = readSetting("log-level", flags, env);
  const [format] = readSetting("log-format", flags, env);
  const sources: Record<string, Given | undefined> = { level, format };
  const where: Locate = ([key]) => sources[String(key)]?.from ?? `log.${String(key)}`;
  return demand(check(logSchema, { level: level?.value, format: format?.value }), where);
}

/** The longest path of a Unix socket, in bytes: an address has room for 107, and it is made below a longer name. */
const SOCKET_PATH_MAX = 101;

/** @throws ConfigError for a path that is too long */
function findSocket(path: string, folder: string, from: string): string {
  const found = resolvePath(path, folder);
  if (Buffer.byteLength(found) > SOCKET_PATH_MAX)
    throw new ConfigError(`${from}: ${found} is longer than ${SOCKET_PATH_MAX} bytes: choose a shorter one`);
  return found;
}

/** The cure of secrets in plain sight, with another one for those of a cluster. */
function cureOf(places: readonly string[], cluster: string, usual: string, ofCluster: string): string {
  const others = places.some((place) => place !== cluster);
  return [...(others ? [usual] : []), ...(places.includes(cluster) ? [ofCluster] : [])].join(", ");
}

/** Finds the files that `cluster` names. They must exist before anything starts. */
async function findClusterFiles(
  cluster: ClusterSettings,
  folder: string,
  cwd: string,
  where: Locate,
  overrides: readonly Override[],
  read: ReadFile,
): Promise<ClusterSettings> {
  const paths: { credentials_file?: string; ca_file?: string } = {};
  for (const key of ["credentials_file", "ca_file"] as const) {
    const given = cluster[key];
    if (given === undefined) continue;
    const path = ["cluster", key];
    paths[key] = resolvePath(given, overrideAt(path, overrides) === undefined ? folder : cwd);
    await read({ value: paths[key], from: where(path) });
  }
  return { ...cluster, ...paths };
}

/** Checks the patterns of parameters. Their compiler is loaded only if there are any. */
async function checkParams({ params }: UpstreamSettings, at: Path, where: Locate): Promise<void> {
  if (Object.keys(params).length === 0) return;
  const { Pattern } = await import("../protocols/pattern.ts");
  for (const [name, text] of Object.entries(params)) {
    try {
      Pattern.whole(text);
    } catch (error) {
      throw new ConfigError(`${where([...at, "params", name])}: ${(error as Error).message}`);
    }
  }
}

/** Refuses frames that the protocol can never send or understand. Those of a module are checked where it is loaded. */
async function checkFrames(settings: UpstreamSettings, at: Path, where: Locate): Promise<void> {
  const known = preset(settings.protocol)?.protocol;
  if (known === undefined) return;
  const faults = faultsOfFrames(typeof known === "function" ? await known() : known, settings);
  if (faults.length > 0) throw new ConfigError(faults.map(({ path, what }) => `${where([...at, ...path])}: ${what}`));
}

/** Finds the URL of one of the user's own modules. The file must exist before anything starts. */
async function findModule(
  key: "protocol" | "credentials",
  { [key]: path }: UpstreamSettings,
  folder: string,
  from: string,
  read: ReadFile,
) {
  if (typeof path !== "string" || !isModulePath(path)) return {};
  const url = resolveModule(path, folder);
  if (url === undefined) throw new ConfigError(`${from}: must be a path or file: URL on this machine`);
  await read({ value: fileURLToPath(url), from });
  return { [key]: url };
}
