/** The names of instances on their threads, in logs and in reports: that of their upstream, and a number. */

/** No character of an upstream's name. */
const SEPARATOR = "#";

export function instanceName(upstream: string, number: number): string {
  return `${upstream}${SEPARATOR}${number}`;
}

/** The name in the configuration: that of the upstream itself, or of the one that an instance was opened by. */
export function configuredName(name: string): string {
  return name.split(SEPARATOR, 1).join();
}
