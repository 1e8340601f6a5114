/** Headless Chromium with its own profile, which is removed with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Child } from "../support/child.ts";
import { findOnPath } from "../support/root.ts";
import { until } from "../support/until.ts";

export interface Chromium {
  readonly child: Child;
  stop(): Promise<void>;
}

export async function startChromium(page: string): Promise<Chromium> {
  const profile = await mkdtemp(join(tmpdir(), "sidesocket-chromium-"));
  const headless = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
  const args = [...headless, "--remote-debugging-port=0", `--user-data-dir=${profile}`, page];
  const child = await Child.start({ command: findOnPath("chromium"), args, env: process.env });
  return {
    child,
    async stop() {
      await child.kill();
      // Its other processes outlive it, and write into the profile until they end.
      const removed = () =>
        rm(profile, { recursive: true, force: true }).then(
          () => true,
          () => false,
        );
      await until(removed, { what: "the profile to be removed" });
    },
  };
}
