import type { RouteConfig, RouteHandler } from "@hono/zod-openapi";
import { Hono } from "hono";
import type { z } from "zod";
import type { Env } from "./ports.ts";
import type * as schemas from "./schemas.ts";

/**
 * Routes and what describes them. Types bind a handler's answer to its description, as @hono/zod-openapi has it. What makes
 * the document of it costs as much to load as all the rest of this folder: `document.ts` has it, for who asks.
 */

export type Schemas = typeof schemas;
type RoutePath = Pick<RouteConfig, "method" | "path">;

export interface Route<Described extends RouteConfig = RouteConfig> {
  readonly place: RoutePath;
  /** Called only when the document is asked for. */
  readonly describe: (schemas: Schemas) => Described;
}

export function createRoute<const Where extends RoutePath, What extends Omit<RouteConfig, keyof RoutePath>>(
  place: Where,
  describe: (schemas: Schemas) => What,
): Route<Where & What> {
  return { place, describe: (schemas) => ({ ...place, ...describe(schemas) }) };
}

/** A response of JSON, as a route's description has it. */
export const json = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { "application/json": { schema } },
});

export class App extends Hono<Env> {
  readonly described: Route[] = [];

  /** Nothing of a request is validated by its description: handlers read what they need by hand. */
  openapi<Described extends RouteConfig>(
    route: Route<Described>,
    handler: RouteHandler<Described, Env, Record<never, never>>,
  ): void {
    this.described.push(route);
    this.on(route.place.method, route.place.path.replaceAll(/\{(.+?)\}/g, ":$1"), handler);
  }
}
