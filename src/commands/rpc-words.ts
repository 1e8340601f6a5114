/** The message of a JSON-RPC call from the words of a command line. */

/**
 * Builds the request of a method with its parameters by position. A word that is JSON is taken as it is written, so
 * that no number is rounded; any other is a text.
 */
export function rpcMessage(method: string, words: readonly string[]): string {
  const params = words.length === 0 ? "" : `,"params":[${words.map(jsonOfWord).join(",")}]`;
  return `{"jsonrpc":"2.0","id":1,"method":${JSON.stringify(method)}${params}}`;
}

function jsonOfWord(word: string): string {
  try {
    JSON.parse(word);
    return word.trim();
  } catch {
    return JSON.stringify(word);
  }
}
