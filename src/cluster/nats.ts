/** The engine over NATS: a bus with "nobody is there", and JetStream for values and logs. */
import type { Engine, EngineEvents, EngineSettings } from "./engine.ts";
import { NatsAsks, requestSubject } from "./nats-asks.ts";
import { NatsLink } from "./nats-link.ts";
import { NatsStore } from "./nats-store.ts";

const CLUSTER = /^[a-z0-9-]{1,32}$/;
const MEMBER = /^[A-Za-z0-9_-]{1,64}$/;

/** Makes an engine, which does nothing until it is connected. @throws RangeError for a name that NATS cannot have */
export function natsEngine(settings: EngineSettings): Engine {
  const { cluster, member } = settings;
  if (!CLUSTER.test(cluster))
    throw new RangeError(`the cluster's name ${JSON.stringify(cluster)} must match ${CLUSTER}`);
  if (!MEMBER.test(member)) throw new RangeError(`the member's id ${JSON.stringify(member)} must match ${MEMBER}`);
  let events: EngineEvents | undefined;
  const beats = `ss.${cluster}.alive`;
  const link: NatsLink = new NatsLink(settings, {
    probes: [`${beats}.${member}`, requestSubject(cluster, member)],
    prepare: () => store.prepare(),
    contact: (isThere) => events?.contact(isThere),
    fault: (error) => events?.fault(error),
  });
  const store: NatsStore = new NatsStore(link, settings);
  const asks = new NatsAsks(link, settings);
  return {
    connect(given) {
      events = given;
      return link.open();
    },
    beat: (beat) => link.publish(`${beats}.${member}`, beat),
    onBeat(hear) {
      // An empty one is the probe of a member that connects.
      link.subscribe(`${beats}.*`, ({ data }) => data.length > 0 && hear(data));
    },
    ask: (...args) => asks.ask(...args),
    answer: (...args) => asks.answer(...args),
    claim: (...args) => store.claim(...args),
    look: (...args) => store.look(...args),
    keep: (...args) => store.keep(...args),
    keys: (...args) => store.keys(...args),
    openLog: (...args) => store.openLog(...args),
    append: (...args) => store.append(...args),
    next: (...args) => store.next(...args),
    onGrown: (...args) => store.onGrown(...args),
    end(withinMs) {
      asks.end();
      return link.close(withinMs);
    },
  };
}
