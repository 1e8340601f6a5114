/** The configuration of this process, and the start of its log. */

import type { Flags } from "../config/commandline.ts";
import { rememberingEnvironment } from "../config/environment.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { log, startLog } from "../logs/log.ts";

/** A reload reads the same variables again. */
const environment = rememberingEnvironment(process.env);

/** @throws ConfigError with a line for each problem */
export async function loadForProcess(flags: Flags): Promise<LoadedConfig> {
  const config = await loadConfig({ flags, env: environment });
  // Overwrites the arguments in the list of processes, on both runtimes.
  if (config.secretOnCommandLine) process.title = "sidesocket";
  return config;
}

export function startLogOf(config: LoadedConfig): void {
  startLog(config.log);
  for (const warning of config.warnings) log.warn(warning);
}
