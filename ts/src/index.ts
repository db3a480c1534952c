export { type Accepts, type All, all, type Collect, type CollectOptions, collect } from "./accepts";
export { BlazenState, type FieldDecorator, storeBy, transient } from "./blazen-state";
export { InputRequestEvent, InputResponseEvent, ProgressEvent, StepFailedEvent } from "./built-in";
export type { Clock } from "./clock";
export { type Codec, codec, type StateClass, type StateMeta } from "./codec";
export type { Context } from "./context";
export { type StepDecorator, step } from "./decorators";
export {
  AlreadyAnsweredError,
  BlazenError,
  CancelledError,
  type CancelReport,
  DefinitionError,
  EventValidationError,
  FencedError,
  FieldStoreError,
  InternalError,
  InvalidResponseError,
  LoopLimitError,
  RunExistsError,
  RunOverError,
  SessionPauseError,
  SessionValueError,
  SnapshotError,
  StalledError,
  StepError,
  StepReturnError,
  StoreError,
  StreamOverflowError,
  TimeoutError,
  UnhandledEventError,
  UnknownRequestError,
  UnserializableError,
} from "./errors";
export { type Event, type EventClass, event, type Fields, StartEvent, StopEvent } from "./event";
export type { EventStream } from "./event-stream";
export { CallbackFieldStore, type FieldStore } from "./field-store";
export { Handler, type RunOptions } from "./handler";
export { IndexedDbStore } from "./indexeddb-store";
export type { SessionPausePolicy, SnapshotContent } from "./memory";
export { MemoryStore } from "./memory-store";
export type { Lifecycle, Observation } from "./observe";
export type { WorkflowOptions } from "./options";
export type { PauseOptions } from "./pause";
export { Pipeline } from "./pipeline";
export type { Join, StageOptions } from "./pipeline-types";
export type { Progress } from "./progress";
export type { RecoverOptions, Worker, WorkerOptions } from "./recover";
export type { PendingInput, RequestOptions } from "./requests";
export { type Resource, resource } from "./resource";
export type { Retention } from "./retention";
export type { RetryPolicy } from "./retry";
export type { RunStatus } from "./run";
export type { SessionMap } from "./session";
export { Snapshot } from "./snapshot";
export { SqliteStore } from "./sqlite-store";
export { toSSE } from "./sse";
export type { StateMap } from "./state";
export type { Received, StepOptions, StepResult } from "./step";
export type { CheckpointStore, Claim, Commit, CommitResult, Message, NewRun, RunFilter, RunHead, RunInfo, StoredMessage, StoredRun } from "./store";
export type { StreamItem } from "./stream";
export { type Runnable, subworkflow } from "./subworkflow";
export { Workflow } from "./workflow";
