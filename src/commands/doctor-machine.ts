/** The checks of `sidesocket doctor` on this machine: variables, limits, secret files and the port. */

import { createServer } from "node:net";
import process from "node:process";
import type { Environment } from "../config/environment.ts";
import type { LoadedConfig } from "../config/load.ts";
import { isWorldReadable } from "../config/tokens.ts";
import { listenOnFile } from "../net/socket-file.ts";
import { withinDescriptors } from "../permissions/descriptor-limit.ts";
import { placeholdersIn } from "../secrets/placeholders.ts";
import { codeOf, readSecretFile } from "../secrets/secret-file.ts";
import { outgoingOf } from "../secrets/secrets.ts";
import { listenCure, socketFault } from "../service/listen-cures.ts";
import { type Finding, fail, ok, warn } from "./findings.ts";

/** Variables by which other programs find a proxy; they may be written in small letters, too. */
const PROXY_VARIABLES = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "WSS_PROXY", "WS_PROXY"];

export function checkProxies(env: Environment, upstreams: LoadedConfig["upstreams"]): Finding {
  const own = [...upstreams].filter(([, { proxy, webhooks }]) => proxy ?? webhooks.some((each) => each.proxy));
  if (own.length > 0) return ok(`proxy: used by ${own.map(([name]) => name).join(", ")}`);
  try {
    const names = PROXY_VARIABLES.flatMap((name) => [name, name.toLowerCase()]);
    const set = names.filter((name) => (env[name] ?? "") !== "");
    if (set.length === 0) return ok("proxy: no variable names one");
    const cure = "where only a proxy leads out, set `proxy: env` for the upstream";
    return warn(`proxy: ${set.join(", ")} is set and not used: upstreams are connected to directly`, cure);
  } catch {
    return warn("proxy: the variables of proxies may not be read, and are not used");
  }
}

export function checkDescriptors(config: LoadedConfig, max: number | undefined): Finding {
  if (max === undefined) return ok("descriptors: not checked, since their limit cannot be read here");
  const { connections } = config.listen;
  const within = withinDescriptors(config, max);
  if (within === connections) return ok(`descriptors: ${max} are enough for listen.connections (${connections})`);
  const cure = "raise it (ulimit -n), or lower listen.connections";
  return warn(`descriptors: the limit of ${max} lowers listen.connections from ${connections} to ${within}`, cure);
}

/** Checks the files that placeholders name, for the user that runs this. */
export async function checkSecretFiles({ upstreams }: LoadedConfig): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [name, upstream] of upstreams) {
    for (const path of placeholdersIn([outgoingOf(upstream), upstream.webhooks]).files) {
      const at = `secret file of upstream ${name}`;
      try {
        await readSecretFile(path);
      } catch (error) {
        findings.push(fail(`${at}: ${(error as Error).message}`, "write the secret into it, readable for this user"));
        continue;
      }
      if (!(await isWorldReadable(path))) findings.push(ok(`${at}: ${path}`));
      else findings.push(warn(`${at}: ${path} can be read by every user of this machine`, `chmod o-r ${path}`));
    }
  }
  return findings;
}

/** Listens for a moment wherever the service would. */
export async function checkPorts({ listen }: LoadedConfig): Promise<readonly Finding[]> {
  const findings = [
    listen.path === undefined ? await checkPort("listen", listen, "--host", "--port") : await checkSocket(listen.path),
  ];
  const { metrics } = listen;
  if (metrics) findings.push(await checkPort("listen.metrics", metrics, "listen.metrics.host", "listen.metrics.port"));
  return findings;
}

/** Listens for a moment on the socket, too. The service replaces the file of a process that has ended. */
async function checkSocket(path: string): Promise<Finding> {
  const server = createServer();
  try {
    const removeFile = await listenOnFile(server, { path, mode: 0o600 }, 1);
    removeFile();
    return ok(`listen: ${path} is free`);
  } catch (error) {
    return fail(socketFault(path, error).message);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** @param hostSetting and `portSetting`: the names of the settings that mend it */
async function checkPort(
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  hostSetting: string,
  portSetting: string,
): Promise<Finding> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, resolve);
    });
    return ok(port === 0 ? `${name}: any free port of ${host}` : `${name}: ${host}:${port} is free`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const cure = listenCure(code, { host: hostSetting, port: portSetting });
    return fail(`${name}: ${host}:${port} cannot be listened on (${codeOf(error)})`, cure);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** The variables of this process. */
export const variables: Environment = process.env;
