/** The places of a configuration at which no text of somebody's own can stand: their values are shown. */

import { configJsonSchema, type JsonSchema } from "./json-schema.ts";
import type { Path } from "./problems.ts";
import { isUnitPattern } from "./units.ts";

/** Made when it is first needed, which no start does. */
let schema: JsonSchema | undefined;

/** True if the schema takes a value at its place for a unit, for one of an enumeration, or for a bounded number. */
export function isClosedPlace(path: Path, value: unknown): boolean {
  schema ??= configJsonSchema() as JsonSchema;
  const { $defs = {} } = schema;
  let nodes = formsOf(schema, $defs);
  for (const key of path) nodes = nodes.flatMap((node) => formsOf(inside(node, key), $defs));
  return nodes.some((node) => isClosed(node, value));
}

type SchemaOrNone = JsonSchema | boolean | undefined;

/** The schemas that a schema refers to, or that are its alternatives. */
function formsOf(schema: SchemaOrNone, parts: Readonly<Record<string, SchemaOrNone>>): readonly JsonSchema[] {
  if (typeof schema !== "object") return [];
  const { $ref, anyOf = [], oneOf = [] } = schema;
  if ($ref !== undefined) return formsOf(parts[$ref.replace("#/$defs/", "")], parts);
  return [schema, ...[...anyOf, ...oneOf].flatMap((form) => formsOf(form, parts))];
}

function inside({ properties = {}, additionalProperties, items }: JsonSchema, key: Path[number]): SchemaOrNone {
  if (typeof key === "number") return items as SchemaOrNone;
  return Object.hasOwn(properties, key) ? properties[String(key)] : (additionalProperties as SchemaOrNone);
}

function isClosed({ const: only, enum: values = [], pattern, type = [] }: JsonSchema, value: unknown): boolean {
  if ((only !== undefined && only === value) || (values as readonly unknown[]).includes(value)) return true;
  if ([type].flat().includes("integer")) return typeof value === "number" || /^\d+$/.test(String(value));
  return pattern !== undefined && isUnitPattern(pattern) && new RegExp(pattern).test(String(value));
}
