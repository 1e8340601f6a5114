/** Routes of the pages for people, `/` and `/docs`, and of the files that they load. */

import { gunzipSync } from "node:zlib";
import type { Context } from "hono";
import { refused } from "../../errors.ts";
import { type Env, RequestRecord } from "../env.ts";
import { checkHost } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { header } from "../request-header.ts";
import { requestId } from "../request-id.ts";
import type { RoutedApp } from "../routing.ts";

/** Nothing from elsewhere, nothing inline, and in no frame. */
const POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "img-src", "connect-src"].map((source) => `${source} 'self'`),
  ...["frame-ancestors", "base-uri", "form-action"].map((source) => `${source} 'none'`),
].join("; ");

const PAGE_HEADERS = {
  // A page of another version would call routes that this one has not.
  "Cache-Control": "no-cache",
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  Vary: "Accept-Encoding",
};

/**
 * Registered before the guards: the pages hold no data, and need no token. All that they call does. A link of another
 * site may lead to them, so that of the guards only that of `Host` remains.
 */
export function pageRoutes(app: RoutedApp, { access, budget, page }: AppParts): void {
  if (!page) return;
  const routes = { "/": "index.html", "/docs": "docs.html", "/pages/:file": undefined };
  for (const [path, name] of Object.entries(routes)) {
    app.get(path, (c) => {
      c.set("record", new RequestRecord(requestId(header(c, "x-request-id")), budget));
      const refusal = checkHost(c, access);
      if (refusal) throw refusal;
      return fileResponse(c, name ?? c.req.param("file") ?? "", path === "/" ? folderOf(c.req.path) : "");
    });
  }
}

/** The folder that the links of `/` begin in, if an app of the program has the routes below a path of its own. */
function folderOf(path: string): string {
  const [folder = ""] = /[\w.-]*$/.exec(path) ?? [];
  return folder === "" ? "" : `${folder}/`;
}

/** @param folder stands before the links of the file */
async function fileResponse(c: Context<Env>, name: string, folder: string): Promise<Response> {
  const { PAGE_FILES } = await import("../page-files.ts");
  const file = Object.hasOwn(PAGE_FILES, name) ? PAGE_FILES[name] : undefined;
  if (!file) throw refused("not_found", "no such file of the pages");
  const own = folder === "" ? { ETag: file.etag } : undefined;
  const headers = { ...commonHeaders(c), ...PAGE_HEADERS, ...own, "Content-Type": file.type };
  if (own && header(c, "if-none-match")?.includes(file.etag)) return c.body(null, 304, headers);
  const gzip = Buffer.from(file.gzip, "base64");
  if (!own) {
    const text = gunzipSync(gzip).toString().replaceAll('"pages/', `"${folder}pages/`);
    return c.body(text, 200, headers);
  }
  const isTaken = /\bgzip\b/.test(header(c, "accept-encoding") ?? "");
  if (isTaken) return c.body(gzip, 200, { ...headers, "Content-Encoding": "gzip" });
  return c.body(Uint8Array.from(gunzipSync(gzip)), 200, headers);
}
