/** The cures of the errors with which the system refuses to let us listen. */

/** The settings that mend it, as the user gives them. */
interface ListenNames {
  readonly host: string;
  readonly port: string;
}

/** @returns undefined for an error that has no cure of ours */
export function listenCure(code: string | undefined, { host, port }: ListenNames): string | undefined {
  const cures: Readonly<Record<string, string>> = {
    EADDRINUSE: `end the program that listens there, perhaps this service, or choose another port (${port})`,
    EACCES: `choose a port above 1023 (${port})`,
    EADDRNOTAVAIL: `choose an address of this machine (${host})`,
  };
  return cures[code ?? ""];
}
