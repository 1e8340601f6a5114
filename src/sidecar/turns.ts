/** Turns of the event loop for long work, which is done in pieces, so that everything else goes on between them. */

/** The time that pieces may take together in one turn, in milliseconds. The last one may exceed it. */
const TURN_MS = 4;

const urgent: (() => void)[] = [];
const waiting: (() => void)[] = [];
let isScheduled = false;

/** Runs a piece of work in a later turn, after the pieces that wait already. It must not throw. */
export function takeTurn(work: () => void): void {
  waiting.push(work);
  if (!isScheduled) schedule();
}

/**
 * Like {@link takeTurn}, for work that callers wait for: it goes before the other, of which there is then one piece in
 * each turn at least.
 */
export function takeUrgentTurn(work: () => void): void {
  urgent.push(work);
  if (!isScheduled) schedule();
}

/** Runs to their end, in turns, steps that yield where other work may go on. */
export function inTurns<Result>(steps: Iterator<undefined, Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const step = () => {
      try {
        const { done, value } = steps.next();
        if (done) resolve(value);
        else takeTurn(step);
      } catch (error) {
        reject(error);
      }
    };
    takeTurn(step);
  });
}

function schedule(): void {
  isScheduled = true;
  setImmediate(runTurn);
}

function runTurn(): void {
  isScheduled = false;
  runFrom(urgent);
  runFrom(waiting);
  if (urgent.length + waiting.length > 0 && !isScheduled) schedule();
}

function runFrom(queue: (() => void)[]): void {
  const until = performance.now() + TURN_MS;
  let work = queue.shift();
  while (work) {
    work();
    work = performance.now() < until ? queue.shift() : undefined;
  }
}
