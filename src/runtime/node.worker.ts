import { serveThread } from "../sidecar/worker.ts";
import { createLookup, systemSources } from "./lookup.ts";

serveThread({ lookup: createLookup(systemSources) });
