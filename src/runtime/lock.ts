/** The part of the Web Locks API that we use. Deno has it; its types are not among Node's. */
interface Locks {
  request<Value>(name: string, whileHeld: () => Promise<Value>): Promise<Value>;
}

/** Waits for the lock, and holds it until `whileHeld` is over. */
export function holdLock<Value>(name: string, whileHeld: () => Promise<Value>): Promise<Value> {
  const { navigator } = globalThis as unknown as { readonly navigator: { readonly locks: Locks } };
  return navigator.locks.request(name, whileHeld);
}
