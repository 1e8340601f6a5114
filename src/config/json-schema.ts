/** JSON Schemas for editors and for the OpenAPI document. */

import * as z from "zod";
import { PLACEHOLDER_PATTERN } from "../secrets/placeholders.ts";
import { version } from "../version.ts";
import { configSchema } from "./schema.ts";
import { subscriptionOrderSchema } from "./subscription-settings.ts";

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A schema, and those that it refers to, by name. */
export interface SchemaWithParts {
  readonly schema: JsonSchema;
  readonly parts: Readonly<Record<string, JsonSchema>>;
}

/** The JSON Schema of the configuration file as it is written, where any value may be a placeholder. */
export function configJsonSchema(): object {
  const { schema, parts } = withParts(configSchema, "#/$defs/");
  const all = { ...schema, $defs: parts };
  for (const each of [...schemasIn(all)]) allowPlaceholders(each);
  const { $schema, ...rest } = all;
  return { $schema, $id: `urn:sidesocket:config:${version}`, title: "sidesocket configuration", ...rest };
}

/** The JSON Schema of the options of an upstream and of the exit, as the library takes them: without placeholders. */
export function optionsJson(): SchemaWithParts {
  const { schema, parts } = withParts(configSchema, "#/$defs/");
  const { upstreams = {}, shutdown = {} } = schema.properties as Record<string, JsonSchema>;
  return { schema: { properties: { upstream: upstreams.additionalProperties as JsonSchema, shutdown } }, parts };
}

/** The JSON Schema of the body that creates a subscription. @param base the place of its parts, such as `#/$defs/` */
export function subscriptionOrderJson(base: string): SchemaWithParts {
  const { schema, parts } = withParts(subscriptionOrderSchema, base);
  const { $schema: _, ...rest } = schema;
  return { schema: rest, parts };
}

/**
 * Zod numbers the parts that have no name. Those that are any JSON, which each `z.json()` defines again, become one;
 * the others stand where they are used.
 */
function withParts(source: z.ZodType, base: string): SchemaWithParts {
  const { $defs = {}, ...schema } = z.toJSONSchema(source, { io: "input" });
  const parts: Record<string, JsonSchema> = {};
  const pending: JsonSchema[] = [schema];
  const rename = (reference: JsonSchema) => {
    const key = reference.$ref?.replace("#/$defs/", "");
    if (key === undefined) return;
    const part = $defs[key] as JsonSchema;
    const name = isAnyJson(part, key) ? "Json" : key;
    if (name.startsWith("__")) {
      delete reference.$ref;
      rename(Object.assign(reference, structuredClone(part)));
      return;
    }
    reference.$ref = `${base}${name}`;
    if (name in parts) return;
    const { id: _, ...rest } = part;
    parts[name] = name === "Json" ? { description: "Any JSON value." } : rest;
    pending.push(parts[name]);
  };
  for (const root of pending) for (const each of schemasIn(root)) rename(each);
  return { schema, parts };
}

/** True for a part that is the definition of JSON: a scalar, or a list or a mapping of itself. */
function isAnyJson({ anyOf = [] }: JsonSchema, key: string): boolean {
  return anyOf.some(({ type, items }) => type === "array" && (items as JsonSchema).$ref === `#/$defs/${key}`);
}

/** A schema and all inside of it, the outer ones first. */
function* schemasIn(schema: JsonSchema): Generator<JsonSchema> {
  yield schema;
  const { properties = {}, $defs = {}, items, additionalProperties, propertyNames, anyOf = [], oneOf = [] } = schema;
  const inside = [items, additionalProperties, propertyNames, anyOf, oneOf];
  for (const inner of [...Object.values(properties), ...Object.values($defs), ...inside].flat()) {
    if (typeof inner === "object") yield* schemasIn(inner);
  }
}

function allowPlaceholders(schema: JsonSchema): void {
  if (schema.pattern !== undefined) schema.pattern = `${schema.pattern}|${PLACEHOLDER_PATTERN}`;
  // A bound applies to numbers only, a pattern to strings only.
  if (schema.type === "integer") Object.assign(schema, { type: ["integer", "string"], pattern: PLACEHOLDER_PATTERN });
  const { enum: values, minLength = 0 } = schema;
  if (values === undefined && minLength <= 1) return;
  delete schema.enum;
  delete schema.minLength;
  schema.anyOf = [values ? { enum: values } : { minLength }, { pattern: PLACEHOLDER_PATTERN }];
}
