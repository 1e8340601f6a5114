/** A configuration as it is written, completed by the defaults of the schema, in the form of the file. */

import { configJsonSchema, type JsonSchema } from "./json-schema.ts";

/** A mapping in the form of the file. */
export type WrittenConfig = Readonly<Record<string, unknown>>;

/** Keys of mappings come in the order of the schema. */
export function withDefaults(written: WrittenConfig): WrittenConfig {
  const { $defs = {}, ...schema } = configJsonSchema() as JsonSchema;
  return filled(schema, written, $defs as Readonly<Record<string, JsonSchema>>) as WrittenConfig;
}

function filled(given: JsonSchema, written: unknown, parts: Readonly<Record<string, JsonSchema>>): unknown {
  const name = given.$ref?.replace("#/$defs/", "");
  const schema = name === undefined ? given : (parts[name] ?? {});
  const value = written === undefined ? schema.default : written;
  if (Array.isArray(value)) {
    const { items } = schema;
    return isSchema(items) ? value.map((item) => filled(items, item, parts)) : value;
  }
  if (!isMapping(value)) return value;
  // Of several forms that are mappings, nobody knows which one is meant.
  const [form = schema, other] = (schema.anyOf ?? []).filter((each) => isSchema(each) && each.type === "object");
  if (other !== undefined || !isSchema(form)) return value;
  const { properties = {}, additionalProperties } = form;
  const known = Object.entries(properties).map(([key, each]) => [
    key,
    isSchema(each) ? filled(each, value[key], parts) : value[key],
  ]);
  const rest = Object.entries(value)
    .filter(([key]) => !Object.hasOwn(properties, key))
    .map(([key, each]) => [key, isSchema(additionalProperties) ? filled(additionalProperties, each, parts) : each]);
  return Object.fromEntries([...known, ...rest].filter(([, each]) => each !== undefined));
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isMapping(value: unknown): value is WrittenConfig {
  return isSchema(value);
}
