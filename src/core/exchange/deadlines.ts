/** The deadlines of the requests in flight, each until its request ends or begins to stream. */
import { TimerWheel } from "../util/timer-wheel.ts";
import type { Entry } from "./request-table.ts";

/** Files each entry under its `dueAt`. The exchange decides what becomes of an entry that is due. */
export class Deadlines {
  readonly #wheel = new TimerWheel<Entry>();

  /** When `due` must be called; undefined without any deadline. */
  get next(): number | undefined {
    return this.#wheel.next();
  }

  /** Takes out the entries whose deadline has passed. */
  due(now: number): readonly Entry[] {
    return this.#wheel.due(now);
  }

  add(entry: Entry): void {
    this.#wheel.add(entry, entry.dueAt);
  }

  move(entry: Entry, dueAt: number): void {
    this.remove(entry);
    entry.dueAt = dueAt;
    this.add(entry);
  }

  remove(entry: Entry): void {
    this.#wheel.remove(entry, entry.dueAt);
  }
}
