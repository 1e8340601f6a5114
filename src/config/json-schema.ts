/** JSON Schemas for editors and for the OpenAPI document. */

import * as z from "zod";
import { PLACEHOLDER_PATTERN } from "../placeholders.ts";
import { configSchema, subscriptionOrderSchema } from "./schema.ts";

/** The JSON Schema of the configuration file as it is written, where any value may be a placeholder. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ jsonSchema }) => allowPlaceholders(jsonSchema),
  });
  return { title: "sidesocket configuration", ...schema };
}

function allowPlaceholders(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.pattern !== undefined) schema.pattern = `${schema.pattern}|${PLACEHOLDER_PATTERN}`;
  // A bound applies to numbers only, a pattern to strings only.
  if (schema.type === "integer") Object.assign(schema, { type: ["integer", "string"], pattern: PLACEHOLDER_PATTERN });
  const { enum: values, minLength = 0 } = schema;
  if (values === undefined && minLength <= 1) return;
  delete schema.enum;
  delete schema.minLength;
  schema.anyOf = [values ? { enum: values } : { minLength }, { pattern: PLACEHOLDER_PATTERN }];
}

/**
 * The JSON Schema of the body that creates a subscription. Conditions inside of conditions are not described: a
 * reference would lead to the root of the document that this schema is put into.
 */
export function subscriptionOrderJson(): object {
  const { $defs: _, ...schema } = z.toJSONSchema(subscriptionOrderSchema, { io: "input" });
  return JSON.parse(JSON.stringify(schema), (_, value) =>
    value?.$ref === undefined ? value : { type: "object", description: "A condition" },
  );
}
