/** Headers of HTTP requests. */

import type { Context } from "hono";
import type { Env } from "./env.ts";

/**
 * The value of a header, undefined without it.
 * @param name in lower case. Most headers are absent: on our own listener that is known without a search
 */
export function header(c: Context<Env>, name: string): string | undefined {
  if (c.env?.exclusive && c.env.incoming.headers[name] === undefined) return undefined;
  return c.req.header(name);
}
