/** Variables that people set in the place of ours: ignored, each would start the demo, or a service without a token. */

import { type Environment, readVariable } from "./environment.ts";
import { ConfigError } from "./problems.ts";

/** By name, since listing the variables needs the permission for all of them on Deno. */
const MEANT: Readonly<Record<string, string>> = {
  SIDESOCKET_UPSTREAM: "SIDESOCKET_UPSTREAM_URL",
  SIDESOCKET_URL: "SIDESOCKET_UPSTREAM_URL",
  SIDESOCKET_PORT: "PORT",
  SIDESOCKET_LISTEN_PORT: "PORT",
  SIDESOCKET_LISTEN_HOST: "SIDESOCKET_HOST",
  SIDESOCKET_CONFIG_FILE: "SIDESOCKET_CONFIG",
  SIDESOCKET_PRESET: "SIDESOCKET_PROTOCOL",
  SIDESOCKET_UPSTREAM_PROTOCOL: "SIDESOCKET_PROTOCOL",
  SIDESOCKET_HEADER: "SIDESOCKET_UPSTREAM_HEADER",
  SIDESOCKET_HEADERS: "SIDESOCKET_UPSTREAM_HEADER",
  SIDESOCKET_UPSTREAM_HEADERS: "SIDESOCKET_UPSTREAM_HEADER",
  SIDESOCKET_SUBPROTOCOLS: "SIDESOCKET_SUBPROTOCOL",
  SIDESOCKET_TOKENS: "SIDESOCKET_TOKEN",
  SIDESOCKET_API_TOKEN: "SIDESOCKET_TOKEN",
  SIDESOCKET_LOG: "SIDESOCKET_LOG_LEVEL",
};

/** Kubernetes sets `SIDESOCKET_PORT=tcp://10.0.0.1:8787` in every pod beside a service of our name. */
const OF_KUBERNETES = /^(?:tcp|udp|sctp):\/\//;

/**
 * @param named the variables that the configuration names as `${NAME}`, which are the user's own
 * @throws ConfigError with a line for each variable that is a mistake
 */
export function refuseMistaken(env: Environment, named: readonly string[]): void {
  const given = Object.entries(MEANT).filter(([name]) => {
    const value = named.includes(name) ? undefined : readVariable(env, name);
    return value !== undefined && !OF_KUBERNETES.test(value);
  });
  if (given.length === 0) return;
  throw new ConfigError(
    given.map(([name, meant]) => `${name}: is not a variable of sidesocket (did you mean ${meant}?)`),
  );
}
