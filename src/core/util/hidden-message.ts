/** Messages that are hidden in a Map from the search for ports. */

/**
 * Deno 2.9 walks through every message that arrives, value by value, for ports to give Node's methods to, which takes
 * longer than the clone; it does not look into a Map.
 */
export type HiddenMessage<Message> = ReadonlyMap<number, Message>;

export function hidden<Message>(message: Message): HiddenMessage<Message> {
  return new Map([[0, message]]);
}

export function shown<Message>(message: HiddenMessage<Message>): Message {
  return message.get(0) as Message;
}
