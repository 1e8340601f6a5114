/**
 * The types of the library's options, written from the schema of the configuration into src/upstream-options.ts.
 *
 *   npm run build && node scripts/options.mjs [--check]
 *
 * Descriptions, defaults and bounds have one source this way: an editor shows what the JSON Schema says. `--check`
 * writes nothing, and fails if the file is not the one that the schema makes.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runTool } from "./tool.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const PATH = "src/upstream-options.ts";

/** Names of the parts of the schema; those of the schema itself are taken by what options become. */
const NAMES = {
  ProtocolOptions: "ProtocolOptions",
  GreetingStep: "GreetingStepOptions",
  FarewellStep: "FarewellStepOptions",
  Answer: "AnswerOptions",
  Frames: "FramesOptions",
  Condition: "ConditionOptions",
  Capture: "CaptureOptions",
  IdPlace: "IdPlaceOptions",
  Subscription: "SubscriptionOptions",
  Json: "JsonValue",
};

/** The members that all presets share. */
const SHARED = "OptionsOfPresets";

/** The mapping that a condition is, unless it is a pattern alone. */
const CONDITION_PARTS = "ConditionParts";

const JSON_TYPE = "string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }";

const { optionsJson } = await import(new URL("../dist/config/json-schema.js", import.meta.url).href);
const { schema, parts } = optionsJson();
const { upstream, shutdown } = schema.properties;
const conditionParts = parts.Condition.anyOf.find(({ type }) => type === "object");
// Only the service pushes to webhooks, has instances, and is one of several replicas.
for (const key of ["webhooks", "params", "instances", "owner", "handover", "when_alone"])
  delete upstream.properties[key];

const text = formatted(
  [
    "/** Options of an upstream, and of its exit, written by scripts/options.mjs from the schema of the configuration. */",
    'import type { CapturedDuration, Duration, Size } from "./config/unit-table.ts";',
    declaration("UpstreamOptions", { ...upstream, description: "An upstream: its address, its login and its limits." }),
    declaration("ShutdownOptions", { ...shutdown, description: "The time limit of each step of the exit." }),
    ...Object.entries(parts).map(([name, part]) => declaration(NAMES[name], part)),
    `/** The parts of a condition, which must all hold. */\nexport interface ${CONDITION_PARTS} ${membersOf(conditionParts)}`,
  ].join("\n\n"),
);

if (process.argv.includes("--check")) {
  if (readFileSync(PATH, "utf8") === text) process.exit(0);
  console.error(`${PATH} is not what the schema makes: run npm run build && node scripts/options.mjs`);
  process.exit(1);
}
writeFileSync(PATH, text);

function declaration(name, part) {
  const comment = docComment([part.description]);
  if (name === NAMES.Json) return `${comment}export type ${name} = ${JSON_TYPE};`;
  if (part.oneOf) return `${comment}${union(name, part.oneOf)}`;
  const type = typeOf(part);
  return part.properties && type.startsWith("{")
    ? `${comment}export interface ${name} ${type}`
    : `${comment}export type ${name} = ${type};`;
}

/** A union, whose members that all alternatives share are written once. */
function union(name, alternatives) {
  const [{ properties }] = alternatives;
  const isShared = (key) =>
    alternatives.every((each) => JSON.stringify(each.properties[key]) === JSON.stringify(properties[key]));
  const shared = Object.fromEntries(Object.entries(properties).filter(([key]) => isShared(key)));
  const own = alternatives.map((each) => {
    const entries = Object.entries(each.properties).filter(([key]) => !(key in shared));
    return `(${SHARED} & ${membersOf({ ...each, properties: Object.fromEntries(entries) })})`;
  });
  const common = `/** The options of every preset. */\nexport interface ${SHARED} ${membersOf({ properties: shared })}`;
  return `export type ${name} = ${own.join(" | ")};\n\n${common}`;
}

/** The type of the values that a schema takes. */
function typeOf(part) {
  const { $ref, anyOf, oneOf, const: only, enum: values, type } = part;
  if ($ref !== undefined) return NAMES[$ref.replace("#/$defs/", "")];
  const alternatives = anyOf ?? oneOf;
  if (alternatives) return [...new Set(alternatives.map(typeOf))].join(" | ");
  if (only !== undefined) return JSON.stringify(only);
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(" | ");
  if (Array.isArray(type)) return type.join(" | ");
  switch (type) {
    case "string":
      return textType(part.pattern ?? "");
    case "integer":
      return "number";
    case "array":
      return `readonly (${typeOf(part.items)})[]`;
    case "object":
      return part.properties ? objectOf(part) : `Readonly<Record<string, ${typeOf(part.additionalProperties)}>>`;
    default:
      return type;
  }
}

/** The parts of a condition are written once: an object that has them all is one, with members of its own. */
function objectOf(part) {
  const { properties, required = [] } = part;
  const known = Object.entries(conditionParts.properties);
  if (!known.every(([key]) => key in properties && !required.includes(key))) return membersOf(part);
  const same = known.filter(([key, member]) => JSON.stringify(properties[key]) === JSON.stringify(member));
  const own = Object.entries(properties).filter(([key]) => !same.some(([name]) => name === key));
  if (own.length === 0) return CONDITION_PARTS;
  return `(${CONDITION_PARTS} & ${membersOf({ properties: Object.fromEntries(own), required })})`;
}

/** Durations and sizes are known by their patterns. */
function textType(pattern) {
  if (pattern.includes("conn:")) return "CapturedDuration | Duration";
  if (pattern.endsWith("(ms|s|m|h)$")) return "Duration";
  if (pattern.endsWith("(ms|s|m|h)$|^off$")) return 'Duration | "off"';
  return pattern.endsWith("|GiB)$") ? "Size" : "string";
}

function membersOf({ properties, required = [] }) {
  const members = Object.entries(properties).map(([key, part]) => {
    const isOptional = !required.includes(key);
    const type = `${typeOf(part)}${isOptional ? " | undefined" : ""}`;
    return `${docComment([part.description, boundsOf(part), defaultOf(part)])}readonly ${key}${isOptional ? "?" : ""}: ${type};`;
  });
  return `{\n${members.join("\n")}\n}`;
}

function boundsOf({ type, minimum, maximum }) {
  return type === "integer" && `From ${minimum.toLocaleString("en")} to ${maximum.toLocaleString("en")}.`;
}

/** An empty mapping or list says nothing that the absence of the key does not. */
function defaultOf({ default: value }) {
  if (value === undefined || (typeof value === "object" && value !== null)) return undefined;
  return `Default: \`${JSON.stringify(value)}\`.`;
}

function docComment(sentences) {
  const words = sentences.filter(Boolean).join(" ");
  if (words === "") return "";
  if (words.length < 100) return `/** ${words} */\n`;
  const lines = words.match(/.{1,104}(?:\s|$)/g).map((line) => ` * ${line.trim()}`);
  return `/**\n${lines.join("\n")}\n */\n`;
}

function formatted(source) {
  const require = createRequire(import.meta.url);
  const biome = require.resolve("@biomejs/biome/bin/biome");
  const { status, stdout, stderr } = runTool(biome, ["format", `--stdin-file-path=${PATH}`], { input: source });
  if (status !== 0) throw new Error(`biome cannot format the options: ${stderr}`);
  return stdout;
}
