/** The digests of the files that upstreams name, by which a reload knows that one has changed. */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { LoadedConfig } from "./load.ts";
import { filesOf, pathOfModule } from "./reload-plan.ts";

/**
 * Digests the secrets, certificates and modules of all upstreams, by path. A file that cannot be read has none: the
 * attempt that needs it says so. Neither has anything but a plain file: reading a pipe would take its content away.
 */
export async function digestsOf({ upstreams }: Pick<LoadedConfig, "upstreams">): Promise<ReadonlyMap<string, string>> {
  const paths = new Set<string>();
  for (const settings of upstreams.values()) {
    for (const path of filesOf(settings)) paths.add(path);
    for (const setting of [settings.protocol, settings.credentials]) {
      const path = pathOfModule(setting);
      if (path !== undefined) paths.add(path);
    }
  }
  const digests = new Map<string, string>();
  for (const path of paths) {
    const digest = await digestOf(path).catch(() => undefined);
    if (digest !== undefined) digests.set(path, digest);
  }
  return digests;
}

async function digestOf(path: string): Promise<string | undefined> {
  if (!(await stat(path)).isFile()) return undefined;
  return createHash("sha256")
    .update(await readFile(path))
    .digest("base64");
}
