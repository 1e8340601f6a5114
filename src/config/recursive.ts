/** Schemas that contain themselves, made so that zod checks them fast. */

import * as z from "zod";

/**
 * Resolves a lazy schema. Before zod parses it looks for cycles, and it follows only what is resolved: a schema with
 * another part is searched as a whole for each mapping and list in it, whatever they hold.
 */
export function resolve(schema: z.ZodType): void {
  if (schema instanceof z.ZodLazy) void schema._zod.innerType;
}

/** Any JSON. @param error the problem of a value that is none */
export function anyJson(error?: string) {
  const schema = z.json(error === undefined ? undefined : { error });
  resolve(schema);
  return schema;
}
