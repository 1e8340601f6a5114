/** Routes, each with the function that describes it in the OpenAPI document. */

import type { RouteConfig } from "@hono/zod-openapi";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import type { z } from "zod";
import type { Env } from "./ports.ts";
import type * as schemas from "./schemas.ts";

/** The module of schemas. It costs as much to load as the rest of this folder, so only the document loads it. */
export type Schemas = typeof schemas;

/** The JSON that a schema describes. Handlers annotate what they send with it, so that the document stays true. */
export type JsonOf<Name extends keyof Schemas> = Schemas[Name] extends z.ZodType ? z.infer<Schemas[Name]> : never;

type RoutePlace = Pick<RouteConfig, "method" | "path">;
type RouteDescription = Omit<RouteConfig, keyof RoutePlace>;

export interface Route {
  readonly place: RoutePlace;
  /** Called only when the document is requested. */
  readonly describe: (schemas: Schemas) => RouteConfig;
}

export function createRoute(place: RoutePlace, describe: (schemas: Schemas) => RouteDescription): Route {
  return { place, describe: (schemas) => ({ ...place, ...describe(schemas) }) };
}

/** A described response or request body in JSON. */
export function json<Schema>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } };
}

type RouteHandler = (c: Context<Env>) => Response | Promise<Response>;

export class App extends Hono<Env> {
  readonly described: Route[] = [];

  /** Registers a route. Its description validates nothing: handlers read what they need from the request. */
  openapi(route: Route, ...handlers: [...MiddlewareHandler<Env>[], RouteHandler]): void {
    this.described.push(route);
    this.on(route.place.method, [route.place.path.replaceAll(/\{(.+?)\}/g, ":$1")], ...handlers);
  }
}
