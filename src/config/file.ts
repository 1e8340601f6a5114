/** The configuration file: YAML or JSON, parsed to a plain value whose keys lead back to their line and column. */

import type { Document, Node, Pair, YAMLError } from "yaml";
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import type { Environment } from "./environment.ts";
import { expand } from "./environment.ts";
import type { Path, Problem } from "./problems.ts";
import { ConfigError, dotted } from "./problems.ts";

const CIRCULAR = "this alias lies within its own anchor: write out what it is to mean";
const NO_ANCHOR = "this alias has no anchor (quote a string that starts with *)";

/** Variables that the yaml package itself reads: Deno must permit them if there is a file. */
export const YAML_VARIABLES: readonly string[] = ["LOG_STREAM", "LOG_TOKENS"];

/** A parsed file, not yet checked against the schema. */
export interface ConfigFile {
  /** Its path as the user wrote it. */
  readonly name: string;
  /** Its content, with the environment variables replaced. */
  readonly value: Record<string, unknown>;
  /** Parses its content once more, as it is written. */
  written(): Record<string, unknown>;
  /** The variables that it names. */
  readonly variables: readonly string[];
  /** The variables named in places of secrets: urls, headers, subprotocols, protocols, greetings and more. */
  readonly secretVariables: readonly string[];
  /** The place of a key or its value as `file.yaml:3:5`; for a missing key that of the nearest mapping around it. */
  locate(path: Path, part: Problem["part"]): string;
}

/**
 * Parses the text of a file.
 * @param name the file's path, for messages
 * @param env the variables for `${NAME}`
 * @throws ConfigError with all syntax errors, or with all missing variables
 */
export function parseConfigFile(text: string, name: string, env: Environment): ConfigFile {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const document = readDocument(text, name, lines);
  // A warning is an unknown tag: its value would not be the one that was written.
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0)
    throw new ConfigError(faults.map((fault) => `${at(fault.pos[0])}: ${describeFault(fault, text)}`));
  if (!isMap(document.contents)) {
    const what =
      document.contents === null
        ? "is empty: give an upstream, or leave the file out to run the demo"
        : "must be a mapping of keys to values";
    throw new ConfigError(`${at(document.contents?.range?.[0] ?? 0)}: ${what}`);
  }

  const problems: string[] = [];
  const variables = new Set<string>();
  const secretVariables = new Set<string>();
  visit(document, {
    Pair(_, { key }) {
      // Assigning this key would change the prototype.
      if (isScalar(key) && key.value === "__proto__")
        problems.push(`${at(startOf(key))}: __proto__ is not allowed as a key`);
    },
    Alias(_, alias, parents) {
      const meant = alias.resolve(document);
      if (meant === undefined) problems.push(`${at(startOf(alias))}: ${NO_ANCHOR}`);
      else if (parents.includes(meant)) problems.push(`${at(startOf(alias))}: ${CIRCULAR}`);
    },
    Scalar(part, scalar, parents) {
      if (part === "key" || typeof scalar.value !== "string") return;
      const path = pathOf([...parents, scalar]);
      const expanded = expand(scalar.value, env, isTemplate(path) && !isAnchored([...parents, scalar]));
      scalar.value = expanded.text;
      problems.push(...expanded.problems.map((what) => `${at(startOf(scalar))}: ${dotted(path)}: ${what}`));
      for (const variable of expanded.names) {
        variables.add(variable);
        if (isSecretPlace(path)) secretVariables.add(variable);
      }
    },
  });
  if (problems.length > 0) throw new ConfigError(problems);

  return {
    name,
    value: toPlain(document, name),
    written: () => toPlain(readDocument(text, name, new LineCounter()), name),
    variables: [...variables],
    secretVariables: [...secretVariables],
    locate: (path, part) => at(offsetOf(document, path, part)),
  };
}

function readDocument(text: string, name: string, lineCounter: LineCounter): Document {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true });
  } catch (cause) {
    // Syntax errors do not throw: only a denied debug variable and a stack overflow do.
    const denied = (cause as Error).name === "NotCapable";
    const why = denied ? `Deno needs --allow-env=${YAML_VARIABLES.join(",")}` : "its values are nested too deeply";
    throw new ConfigError(`${name}: cannot be read: ${why}`, { cause });
  }
}

function toPlain(document: Document, name: string): Record<string, unknown> {
  try {
    return document.toJS() as Record<string, unknown>;
  } catch (cause) {
    // Only aliases can fail here: exponential ones.
    throw new ConfigError(`${name}: has too many aliases`, { cause });
  }
}

/** Describes a syntax error without quoting the file: yaml's own messages may have a secret after a quote or colon. */
function describeFault(fault: YAMLError, text: string): string {
  if (fault.code === "DUPLICATE_KEY") {
    const key = /^["']?([\w/~-]+)/.exec(text.slice(fault.pos[0]))?.[1];
    return `${key === undefined ? "" : `${key}: `}this key occurs twice: leave one out`;
  }
  if (fault.code === "TAG_RESOLVE_FAILED") return "unknown tag (quote a string that starts with !)";
  if (fault.code === "BAD_ALIAS") return NO_ANCHOR;
  if (fault.code === "MULTIPLE_DOCS") return "a second document starts here: the file must have only one";
  return (fault.message.split(/[:"%\\\n]/)[0] ?? "").trim() || "cannot be read";
}

function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0;
}

/** The keys and indexes to the last of `nodes`, which begin at the document and each contain the next. */
function pathOf(nodes: readonly unknown[]): string[] {
  return nodes.flatMap((node, depth) => {
    if (isPair(node)) return [keyOf(node)];
    if (isSeq(node)) return [String(node.items.indexOf(nodes[depth + 1]))];
    return [];
  });
}

const SECRET_PLACES = new Set([
  "url",
  "headers",
  "subprotocols",
  "protocol",
  "greeting",
  "farewell",
  "keepalive",
  "subscriptions",
  "webhooks",
]);

function isSecretPlace([root, part, key]: readonly string[]): boolean {
  if (root === "listen") return part === "tls" && key === "passphrase";
  return root === "upstreams" && key !== undefined && SECRET_PLACES.has(key);
}

/** True for the answers of a protocol, in which names stand for groups: a variable's value must not be read so. */
function isTemplate([root, , key, option, , send]: readonly string[]): boolean {
  return root === "upstreams" && key === "protocol" && option === "answers" && send === "send";
}

/** True if a part of the file may stand in other places, too. */
function isAnchored(nodes: readonly unknown[]): boolean {
  return nodes.some((node) => (node as Partial<Node & { anchor: unknown }> | null)?.anchor !== undefined);
}

/** The offset of the value at `path`, or of its nearest existing ancestor. */
function offsetOf(document: Document, path: Path, part: Problem["part"]): number {
  let key: unknown;
  let node: unknown = document.contents;
  for (const step of path) {
    const parent = isAlias(node) ? node.resolve(document) : node;
    const next = isMap(parent) ? parent.items.find((pair) => keyOf(pair) === String(step)) : undefined;
    const item = isSeq(parent) ? parent.items[Number(step)] : undefined;
    if (next === undefined && item === undefined) return startOf(key ?? node);
    key = next?.key ?? item;
    node = next === undefined ? item : next.value;
  }
  return startOf(part === "key" || node === null ? key : node);
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : "";
}
