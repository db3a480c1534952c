// What each worker thread of the memory test does: a thousand runs of every kind.
import { loads } from "./loads.mjs";

await loads.mixed(1000);
