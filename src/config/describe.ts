/** The effective configuration as a file without its secrets (threat T7), as `check-config` prints it. */

import { stringify } from "yaml";
import { tokenize, variablePlaceholder } from "../secrets/placeholders.ts";
import { type WrittenConfig, withDefaults } from "./defaults.ts";
import type { LoadedConfig } from "./load.ts";
import { NUMBER_PLACEHOLDER, withoutSecrets } from "./written-secrets.ts";

/**
 * @returns YAML that is loaded as what it describes, once the variables in its first lines have the secrets, and
 *   hidden numbers have been put back. Until then it is refused.
 */
export function describeConfig(loaded: LoadedConfig): string {
  const { written, sources, tokens, shutdownTokens, insecure, log, demo } = loaded;
  const { value, variables, numbers } = withoutSecrets(withDefaults(withPaths(written(), loaded)), sources.variables);
  const apart = [
    `tokens of the API: ${tokens.length}, of /shutdown: ${shutdownTokens.length}`,
    `log: ${log.level}${log.format === undefined ? "" : `, ${log.format}`}`,
    ...(insecure ? ["insecure"] : []),
    ...(demo ? ["no upstream, so that the demo runs"] : []),
  ];
  const lines = [
    "The effective configuration: the file with its defaults, and the flags and variables over it.",
    `Not in a file: ${apart.join("; ")}.`,
    ...variables.map(
      (name) =>
        `${variablePlaceholder(name)} stands for what is written out and may be secret: set this variable to it.`,
    ),
    ...numbers.map((place) => `${place} is a number, in place of which ${NUMBER_PLACEHOLDER} stands: write it there.`),
  ];
  return `${lines.map((line) => `# ${line}\n`).join("")}${stringify(value, { lineWidth: 0 })}`;
}

/** Makes paths absolute, which are relative to the folder of the file, and not to that of a copy. */
function withPaths(written: WrittenConfig, { listen, upstreams }: LoadedConfig): WrittenConfig {
  const named = Object.entries(mappingOf(written["upstreams"])).map(([name, settings]) => [
    name,
    found(mappingOf(settings), mappingOf(upstreams.get(name)), UPSTREAM_PATHS),
  ]);
  return {
    ...written,
    ...(written["listen"] !== undefined && { listen: found(mappingOf(written["listen"]), listen, LISTEN_PATHS) }),
    ...(named.length > 0 && { upstreams: Object.fromEntries(named) }),
  };
}

const LISTEN_PATHS = { path: true, tls: { cert: true, key: true, ca: true } } as const;
const UPSTREAM_PATHS = {
  ca: true,
  tls: { ca: true, cert: true, key: true, pfx: true },
  protocol: true,
  credentials: true,
} as const;

type Paths = { readonly [Key in string]: true | Paths };

function found(written: WrittenConfig, effective: WrittenConfig, paths: Paths): WrittenConfig {
  return Object.fromEntries(
    Object.entries(written).map(([key, value]) => {
      const inside = Object.hasOwn(paths, key) ? paths[key] : undefined;
      const other = effective[key];
      if (typeof inside === "object") return [key, found(mappingOf(value), mappingOf(other), inside)];
      const isWritten = typeof value === "string" && tokenize(value).every(({ kind }) => kind === "text");
      return [key, inside && isWritten && typeof other === "string" ? other : value];
    }),
  );
}

function mappingOf(value: unknown): WrittenConfig {
  return (typeof value === "object" && value !== null ? value : {}) as WrittenConfig;
}
