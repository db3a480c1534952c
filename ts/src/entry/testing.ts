export type { Clock } from "../clock";
export { type ConformanceOptions, storeConformance } from "../store-conformance";
export { VirtualClock } from "../virtual-clock";
