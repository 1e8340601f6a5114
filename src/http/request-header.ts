/** Headers of HTTP requests. */

import type { Context } from "hono";
import type { Env } from "./env.ts";

/**
 * The value of a header, joined with commas if it came several times; undefined without it. Our own listener has all of
 * them by name; the Request would check the name and search for it each time.
 * @param name in lower case
 */
export function header(c: Context<Env>, name: string): string | undefined {
  if (!c.env?.exclusive) return c.req.header(name);
  const value = c.env.incoming.headers[name];
  return value === undefined || typeof value === "string" ? value : c.req.header(name);
}
