// Begins a run and stops in the middle of it, to be terminated there.
import { IndexedDbStore } from "blazen";
import { stored } from "./stored-workflow";

self.onmessage = ({ data: { name, hold } }) => {
  const store = new IndexedDbStore(name);
  const workflow = stored((n) => {
    self.postMessage(n);
    return n < hold ? undefined : new Promise(() => {});
  });
  // The lease is over when it is wanted.
  void workflow.recover(store, { leaseMs: 100 }).then(() => workflow.start({}, { store, runId: "r" }));
};
