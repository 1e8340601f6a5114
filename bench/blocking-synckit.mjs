/** The worker that synckit runs for its function. */
import { runAsWorker } from "synckit";
import call from "./blocking-call.mjs";

runAsWorker(call);
