/** Commands of the product that go on until they are told to end, as real processes. */
import process from "node:process";
import { Child } from "./child.ts";
import { DENO_PERMISSIONS, productCommand } from "./product.ts";
import { root } from "./root.ts";
import type { Cleanup } from "./until.ts";

/** Starts a command, and waits for the address that it listens on, printed to either stream. */
export async function startCommand(args: readonly string[], t: Cleanup): Promise<{ child: Child; url: string }> {
  const command = productCommand(args, { denoPermissions: DENO_PERMISSIONS });
  const child = await Child.start({ ...command, cwd: root, env: { ...process.env, NO_COLOR: "1" }, t });
  const address = () => /listening on (\S+)/.exec(child.stdout + child.stderr)?.[1];
  await child.until(() => child.exit !== undefined || address() !== undefined, { within: 15_000 });
  const url = address();
  if (url === undefined) throw new Error(`it ended before it listened ${child.output()}`);
  return { child, url };
}
