/** Transcripts of dialogues in JSON-RPC, to compare those of two clients. */

/** The messages of one connection, by their sender, in order. */
export interface Transcript {
  readonly client: object[];
  readonly server: object[];
}

export interface RpcMessage {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** The messages of both, where a request has no id, a reply the method that it replies to, and what is random is not. */
export function named({ client, server }: Transcript): Transcript {
  const ofSide = (messages: readonly RpcMessage[], asked: readonly RpcMessage[]) => {
    const methods = new Map(asked.flatMap(({ id, method }) => (method === undefined ? [] : [[id, method]])));
    return messages.map((each) => ({ ...each, id: each.method === undefined ? methods.get(each.id) : "a request's" }));
  };
  const text = JSON.stringify({ client: ofSide(client, server), server: ofSide(server, client) });
  return JSON.parse(text.replace(/"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, '"random"'));
}
