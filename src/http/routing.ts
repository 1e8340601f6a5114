/** Routes, each with the function that describes it in the OpenAPI document. */

import type { RouteConfig } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import { matchedRoutes } from "hono/route";
import type { z } from "zod";
import { refused } from "../errors.ts";
import type * as described from "./described.ts";
import type { Env } from "./env.ts";
import type * as schemas from "./schemas.ts";

/** The modules of the document. They cost as much to load as the rest of this folder, so only the document does. */
export type Schemas = typeof schemas & typeof described;

/** The JSON that a schema describes. Handlers annotate what they send with it, so that the document stays true. */
export type JsonOf<Name extends keyof Schemas> = Schemas[Name] extends z.ZodType ? z.infer<Schemas[Name]> : never;

type RoutePlace = Pick<RouteConfig, "method" | "path"> & {
  /** Query parameters, those that the description has: any other is refused. Without it nothing is. */
  readonly query?: readonly string[];
  /** True if the last word of the path stands where longer paths have a parameter. */
  readonly endsAsParameter?: true;
};
type RouteDescription = Omit<RouteConfig, "method" | "path" | "parameters"> & {
  /** The name of the function in a generated client. */
  readonly operationId: string;
  readonly tags: [keyof Schemas["TAGS"]];
  readonly summary: string;
  parameters?: described.Parameter[];
};
type DescribedRoute = RouteDescription & Pick<RouteConfig, "method" | "path">;

export interface Route {
  readonly place: RoutePlace;
  /** Called only when the document is requested. */
  readonly describe: (schemas: Schemas) => DescribedRoute;
}

export function createRoute(place: RoutePlace, describe: (schemas: Schemas) => RouteDescription): Route {
  const { method, path } = place;
  return { place, describe: (schemas) => ({ method, path, ...describe(schemas) }) };
}

/** Runs before a route's handler, or refuses. Synchronous: a middleware of Hono's costs each request two promises. */
export type RouteStep = (c: Context<Env>) => void;

type RouteHandler = (c: Context<Env>) => Response | Promise<Response>;

/** The part of a path behind which an instance may be named. */
const UPSTREAM = "{upstream}";

/** The same route for an instance of the upstream that the path names. */
function ofInstance({ place, describe }: Route): Route {
  const path = place.path.replace(UPSTREAM, `${UPSTREAM}/instances/{instance}`);
  return {
    place: { ...place, path },
    describe: (schemas) => {
      const { operationId, summary, parameters = [], ...rest } = describe(schemas);
      const { instanceParameter } = schemas;
      return {
        ...rest,
        path,
        operationId: `${operationId}OfInstance`,
        tags: ["Instances"],
        summary: `${summary} (of an instance)`,
        parameters: [...parameters, instanceParameter],
      };
    },
  };
}

export class RoutedApp extends Hono<Env> {
  readonly described: Route[] = [];
  readonly #hasInstances: boolean;
  /** Templates of paths by Hono's patterns of them. */
  readonly #templates = new Map<string, string>();

  /** @param hasInstances true to serve each route of an upstream for its instances, too */
  constructor(hasInstances = false) {
    super();
    this.#hasInstances = hasInstances;
  }

  /** Registers a route. Its description validates nothing: handlers read what they need from the request. */
  openapi(route: Route, ...handlers: [...steps: RouteStep[], handler: RouteHandler]): void {
    this.#register(route, handlers);
    const { path } = route.place;
    if (this.#hasInstances && path.includes(UPSTREAM) && !path.includes("/instances"))
      this.#register(ofInstance(route), handlers);
  }

  #register(route: Route, handlers: [...steps: RouteStep[], handler: RouteHandler]): void {
    this.described.push(route);
    const { method, path, query, endsAsParameter } = route.place;
    const handler = handlers.at(-1) as RouteHandler;
    const steps = handlers.slice(0, -1) as RouteStep[];
    const checked: RouteHandler = (c) => {
      c.get("record").route = path;
      if (query && c.req.url.includes("?")) demandKnown(c, query);
      for (const step of steps) step(c);
      return handler(c);
    };
    const pattern = path.replaceAll(/\{(.+?)\}/g, ":$1");
    if (!endsAsParameter) {
      this.#templates.set(pattern, path);
      this.on(method, [pattern], checked);
    } else {
      const wordPattern = pattern.replace(/[^/]+$/, `${WORD}$&`);
      this.#templates.set(wordPattern, path);
      this.on(method, [wordPattern], (c, next) => (isOtherWord(c, wordPattern) ? next() : checked(c)));
    }
  }

  /** The template of the path of a request that no handler may have taken; undefined if no route has such a path. */
  templateOf(c: Context<Env>): string | undefined {
    const word = c.req.path.split("/").at(-1);
    const patterns = matchedRoutes(c).map(({ path }) => path);
    const named = patterns.find((pattern) => pattern.split(WORD)[1] === word);
    const other = patterns.find((pattern) => !pattern.includes(WORD) && this.#templates.has(pattern));
    return this.#templates.get(named ?? other ?? "");
  }
}

/**
 * Begins a parameter that has the one value of its name. Hono matches all paths by one expression, as long as no word
 * stands beside a parameter; otherwise each request costs it a walk through a tree.
 */
const WORD = ":=";

/** True if the request's path has another word than the pattern that matched it. */
export function isOtherWord(c: Context<Env>, pattern: string): boolean {
  const [, word] = pattern.split(WORD);
  return word !== undefined && c.req.param(`=${word}`) !== word;
}

/** The only parameter that may be repeated. */
const REPEATABLE = "where";

/** @throws SidesocketError for a query parameter that the route does not know, or that is given twice */
function demandKnown(c: Context<Env>, known: readonly string[]): void {
  for (const [name, { length }] of Object.entries(c.req.queries())) {
    const shown = JSON.stringify(name.slice(0, 64));
    if (!known.includes(name)) {
      const all = known.length > 0 ? `known here: ${known.join(", ")}` : "this route has none";
      throw refused("invalid_request", `unknown query parameter ${shown} (${all})`);
    }
    if (length > 1 && name !== REPEATABLE) {
      throw refused("invalid_request", `the query parameter ${shown} is given ${length} times: give it once`);
    }
  }
}
