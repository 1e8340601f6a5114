/** The addresses at which replicas ask each other for what one of them holds. */

const ADDRESS = /^held-([\w-]{22})-\d{1,9}$/;

/**
 * @param host the name of a process among the others: 22 characters that nobody else draws
 * @param number one that no other address of the process has
 */
export function holderAddress(host: string, number: number): string {
  return `held-${host}-${number}`;
}

export function isHolderAddress(address: string): boolean {
  return ADDRESS.test(address);
}

/** The process that an address names. */
export function hostOf(address: string): string {
  const host = ADDRESS.exec(address)?.[1];
  if (host === undefined) throw new RangeError(`${address} is no address of what a replica holds`);
  return host;
}
