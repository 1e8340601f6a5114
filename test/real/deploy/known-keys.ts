/** The keys that a description of a file's format knows: of Kubernetes by its TypeScript types, of others by JSON Schema. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Fields of each type, with the text of their types. */
type Types = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Reads the types of the package `kubernetes-types`, by the names that are unique in what we use. */
export function readTypes(folder: string, groups: readonly string[]): Types {
  const types = new Map<string, Map<string, string>>();
  for (const group of groups) {
    for (const version of readdirSync(join(folder, group)).filter((file) => /^v\d+\.d\.ts$/.test(file))) {
      const text = readFileSync(join(folder, group, version), "utf8");
      for (const [, name = "", body = ""] of text.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)) {
        const fields = body.matchAll(/^ {4}"?([\w$]+)"?\??: (.*?);?$/gm);
        types.set(name, new Map(Array.from(fields, ([, field = "", type = ""]) => [field, type])));
      }
    }
  }
  return types;
}

/** Paths of keys that a value has and its type does not know. */
export function unknownToTypes(value: unknown, type: string, types: Types, path = ""): string[] {
  const [, item] = /^Array<(.*)>$/.exec(type) ?? [];
  if (item !== undefined)
    return Array.isArray(value)
      ? value.flatMap((each) => unknownToTypes(each, item, types, path))
      : [`${path} is no list`];
  const fields = types.get(type);
  if (fields === undefined || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const field = fields.get(key);
    return field === undefined ? [`${path}.${key}`] : unknownToTypes(inner, field, types, `${path}.${key}`);
  });
}

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

/** Paths of keys that a value has, and none of the schema's branches knows. */
export function unknownToSchema(value: unknown, schema: Schema, whole: Schema, path = ""): string[] {
  const branches = branchesOf(schema, whole);
  if (Array.isArray(value)) {
    const items = branches.flatMap(({ items }) => items ?? []);
    return value.flatMap((each) => best(items.map((item) => unknownToSchema(each, item, whole, path))));
  }
  if (typeof value !== "object" || value === null) return [];
  const mappings = branches.filter(({ properties, patternProperties, additionalProperties }) =>
    Boolean(properties ?? patternProperties ?? additionalProperties),
  );
  return best(
    mappings.map((branch) =>
      Object.entries(value).flatMap(([key, inner]) => {
        const known = schemaOf(branch, key);
        if (known === undefined) return branch.additionalProperties === false ? [`${path}.${key}`] : [];
        return unknownToSchema(inner, known, whole, `${path}.${key}`);
      }),
    ),
  );
}

function schemaOf({ properties, patternProperties, additionalProperties }: Schema, key: string): Schema | undefined {
  const pattern = Object.entries(patternProperties ?? {}).find(([text]) => new RegExp(text).test(key));
  const any = typeof additionalProperties === "object" ? additionalProperties : undefined;
  return properties?.[key] ?? pattern?.[1] ?? any;
}

function branchesOf(schema: Schema, whole: Schema): Schema[] {
  if (schema.$ref !== undefined) return branchesOf(referred(schema.$ref, whole), whole);
  const inner = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])];
  return inner.length > 0 ? inner.flatMap((each) => branchesOf(each, whole)) : [schema];
}

function referred(reference: string, whole: Schema): Schema {
  let found: unknown = whole;
  for (const part of reference.split("/").slice(1)) found = (found as Readonly<Record<string, unknown>>)[part];
  return found as Schema;
}

/** The branch that was meant is the one with the fewest keys that it does not know. */
function best(branches: readonly string[][]): string[] {
  return branches.toSorted((one, other) => one.length - other.length)[0] ?? [];
}
