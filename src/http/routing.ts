/** Routes, each with the function that describes it in the OpenAPI document. */

import type { RouteConfig } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
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

/** Runs a handler, with what comes before and after each of them. */
export type Frame = (c: Context<Env>, handle: RouteHandler) => Response | Promise<Response>;

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
  /** The frame of the routes that are registered from here on. */
  frame: Frame = (c, handle) => handle(c);
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
    const { frame } = this;
    const pattern = path.replaceAll(/\{(.+?)\}/g, ":$1");
    if (!endsAsParameter) {
      this.#templates.set(pattern, path);
      this.on(method, [pattern], (c) => frame(c, checked));
    } else {
      const wordPattern = pattern.replace(/[^/]+$/, `${WORD}$&`);
      this.#templates.set(wordPattern, path);
      this.on(method, [wordPattern], (c, next) => (isOtherWord(c.req.path, wordPattern) ? next() : frame(c, checked)));
    }
  }

  /** The methods of a path, and its template. Slow: for requests that no handler takes. */
  routesAt(path: string): { readonly methods: readonly string[]; readonly template: string | undefined } {
    const methods = new Set(this.routes.map(({ method }) => method));
    const matched = new Set(
      [...methods].flatMap((method) => this.router.match(method, path)[0].map(([[, one]]) => one)),
    );
    const routes = this.routes.filter((one) => matched.has(one) && one.method !== ALL && !isOtherWord(path, one.path));
    const [template] = routes.flatMap((one) => this.#templates.get(one.path) ?? []);
    return { methods: [...new Set(routes.map(({ method }) => method))], template };
  }
}

/** The method of a middleware's route. */
const ALL = "ALL";

/**
 * Begins a parameter that has the one value of its name. Hono matches all paths by one expression, as long as no word
 * stands beside a parameter; otherwise each request costs it a walk through a tree.
 */
const WORD = ":=";

/** True if the request's path has another word than the pattern that matched it. */
function isOtherWord(path: string, pattern: string): boolean {
  const [, word] = pattern.split(WORD);
  return word !== undefined && path.split("/").at(-1) !== word;
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
