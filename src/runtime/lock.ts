/** The Web Lock by which the end of a thread is known on Deno. */

/** The part of the Web Locks API that is used. Its types are not among Node's. */
interface Locks {
  request<Value>(name: string, whileHeld: () => Promise<Value>): Promise<Value>;
}

/** Waits for the lock and holds it until `whileHeld` settles. */
export function holdLock<Value>(name: string, whileHeld: () => Promise<Value>): Promise<Value> {
  const { navigator } = globalThis as unknown as { readonly navigator: { readonly locks: Locks } };
  return navigator.locks.request(name, whileHeld);
}
