//! A run: what the core knows by number, and the calls that go on. All of it is behind one lock, which is held while frames are
//! handed over and commands are carried out, and never while code of the user's runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use blazen_core::{IN_CLOSE, IN_START, IN_TICK};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::checkpoints::Checkpoints;
use super::error::{Error, StepFailure};
use super::event::{Event, START};
use super::machine::{Frame, NONE};
use super::numbers::Numbers;
use super::outputs;
use super::plan::Plan;
use super::random;
use super::requests::Requests;
use super::slots::{Payload, Slots};

/// A value of the state.
pub type Bytes = Arc<[u8]>;
/// How a run has ended.
pub type Outcome = Result<Value, Error>;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Steps run, or sleep.
    Running,
    /// Nothing is left to do but for answers and events from outside.
    Waiting,
    /// It was paused here, and goes on from its snapshot.
    Paused,
    /// It has a result.
    Completed,
    /// It has an error.
    Failed,
    /// It was cancelled.
    Cancelled,
}

pub struct Run {
    pub plan: Arc<Plan>,
    pub id: String,
    pub runtime: Handle,
    state: Mutex<State>,
    outcome: watch::Sender<Option<Outcome>>,
    /// An attempt has settled, or has begun to wait; or the run has.
    pub stirred: Notify,
    /// Something is to be written to the store.
    pub due: Arc<Notify>,
}

/// What changes in a run.
pub struct State {
    pub handle: i32,
    pub over: bool,
    pub waiting: bool,
    /// How many want that nothing is dispatched: the run is about to be stored.
    pub pausing: usize,
    pub slots: Slots,
    pub calls: HashMap<i32, Call>,
    pub next_token: u64,
    /// The members of the set that the next call gets.
    pub set: Vec<Event>,
    /// What the next call is: the number of its invocation, and the attempt.
    pub next_seq: u64,
    pub next_attempt: u32,
    /// What is handed over next.
    pub frames: Vec<Frame>,
    pub memory: BTreeMap<String, Bytes>,
    pub keys: Numbers,
    pub ids: Numbers,
    pub requests: Requests,
    /// When the core wants to hear next, in ms since 1970.
    pub alarm: Option<u64>,
    pub timer: Option<AbortHandle>,
    now: u64,
    /// Entries of another host's that this one leaves as they are.
    pub carried: Vec<(String, Value)>,
    pub dropped_session: Value,
    pub checkpoints: Option<Checkpoints>,
    /// The end of a run that its store has not been told of.
    pub ending: Option<Outcome>,
}

/// An attempt that has not settled.
pub struct Call {
    /// Tells it from others that have the same numbers.
    pub token: u64,
    pub task: AbortHandle,
    /// The step was called.
    pub begun: bool,
    /// Its fan-out is over: it is about to be dropped, and nothing that it does counts.
    pub withdrawn: bool,
    /// What it wrote and has not committed; None: the value is gone.
    pub written: BTreeMap<String, Option<Bytes>>,
    pub sleeps: i32,
    pub asks: i32,
    pub sleeping: HashMap<i32, oneshot::Sender<()>>,
    pub asking: HashMap<i32, oneshot::Sender<Answered>>,
}

impl Call {
    pub fn is_parked(&self) -> bool {
        !self.sleeping.is_empty() || !self.asking.is_empty()
    }
}

/// What became of a question that a step waits for.
pub struct Answered {
    pub prompt: String,
    /// None: nobody answered in time.
    pub response: Option<Value>,
}

impl State {
    fn new() -> Self {
        Self {
            handle: NONE,
            over: false,
            waiting: false,
            pausing: 0,
            slots: Slots::default(),
            calls: HashMap::new(),
            next_token: 0,
            set: Vec::new(),
            next_seq: 0,
            next_attempt: 1,
            frames: Vec::new(),
            memory: BTreeMap::new(),
            keys: Numbers::default(),
            ids: Numbers::default(),
            requests: Requests::default(),
            alarm: None,
            timer: None,
            now: 0,
            carried: Vec::new(),
            dropped_session: Value::Array(Vec::new()),
            checkpoints: None,
            ending: None,
        }
    }

    /// Makes what an attempt wrote part of the run.
    pub fn commit(&mut self, written: BTreeMap<String, Option<Bytes>>) {
        for (key, value) in written {
            if let Some(checkpoints) = &mut self.checkpoints {
                checkpoints.state_changed(&key, value.as_ref());
            }
            match value {
                Some(value) => self.memory.insert(key, value),
                None => self.memory.remove(&key),
            };
        }
    }

    pub fn put(&mut self, event: Event) -> i32 {
        self.slots.put(Payload::Event(event))
    }
    pub fn put_failure(&mut self, failure: StepFailure) -> i32 {
        self.slots.put(Payload::Failure(failure))
    }
}

/// The longest time from one look at the wall clock to the next: it may be set, and goes on while a machine sleeps.
const LOOK: Duration = Duration::from_secs(60);

/// A frame of a time in ms since 1970.
pub fn time_frame(tag: i32, ms: u64) -> Frame {
    let ms = ms.min((1 << 53) - 1);
    [tag, (ms >> 30) as i32, (ms & 0x3fff_ffff) as i32, NONE]
}

impl Run {
    /// A run of which the core knows nothing yet.
    pub fn new(plan: &Arc<Plan>, id: Option<String>) -> Result<Arc<Self>, Error> {
        if id.as_deref() == Some("") {
            return Err(Error::definition(format!("{}: a run's id is a text that is not empty", plan.title())));
        }
        let runtime = Handle::try_current().map_err(|_| Error::definition(format!("{}: call it within a tokio runtime", plan.title())))?;
        Ok(Arc::new(Self {
            plan: plan.clone(),
            id: id.unwrap_or_else(random::id),
            runtime,
            state: Mutex::new(State::new()),
            outcome: watch::channel(None).0,
            stirred: Notify::new(),
            due: Arc::new(Notify::new()),
        }))
    }

    pub fn start(plan: &Arc<Plan>, input: Value, id: Option<&str>) -> Result<Arc<Self>, Error> {
        let event = start_event(plan, input)?;
        let run = Self::new(plan, id.map(str::to_owned))?;
        let mut state = run.lock();
        let slot = state.put(event);
        run.exchange(&mut state, vec![[IN_START, plan.id, slot, NONE]]);
        drop(state);
        Ok(run)
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What time it is, told before frames to which that matters. It never goes back.
    pub fn now(&self, state: &mut State) -> Frame {
        state.now = state.now.max(self.plan.clock.now());
        time_frame(IN_TICK, state.now)
    }

    /// Hands frames to the core and carries out what it answers.
    pub fn exchange(self: &Arc<Self>, state: &mut State, mut frames: Vec<Frame>) {
        loop {
            if state.over {
                return;
            }
            state.waiting = false;
            let answer = match self.plan.machine.exchange(state.handle, frames) {
                Ok(answer) => answer,
                Err(message) => {
                    // The core has let the run go.
                    state.handle = NONE;
                    return self.end(state, Err(Error::internal(format!("{}: {message}", self.plan.title()))));
                }
            };
            state.handle = answer.handle;
            for command in answer.commands {
                self.carry_out(state, command, answer.failure.as_deref());
                if state.over {
                    return;
                }
            }
            let waiting = state.waiting;
            if let Some(checkpoints) = &mut state.checkpoints
                && checkpoints.exchanged(answer.commit, waiting)
            {
                self.due.notify_one();
            }
            frames = std::mem::take(&mut state.frames);
            if frames.is_empty() {
                if state.waiting {
                    self.stirred.notify_waiters();
                }
                return;
            }
        }
    }

    /// The core, or the host, has ended it; with a store its outcome is told when the store has it.
    pub fn end(&self, state: &mut State, outcome: Outcome) {
        self.stop(state);
        if state.checkpoints.is_some() {
            state.ending = Some(outcome);
            self.due.notify_one();
        } else {
            self.tell(outcome);
        }
    }
    /// It does not go on in this process, whatever the store says of it.
    pub fn abandon(&self, state: &mut State, why: Error) {
        if state.over {
            // What its end was nobody can say any more.
            if state.ending.take().is_some() {
                self.tell(Err(why));
            }
            return;
        }
        self.stop(state);
        self.tell(Err(why));
    }
    /// Steps are dropped at their next await, and the core forgets the run.
    pub fn stop(&self, state: &mut State) {
        state.over = true;
        state.waiting = false;
        for (_, call) in state.calls.drain() {
            call.task.abort();
        }
        if let Some(timer) = state.timer.take() {
            timer.abort();
        }
        state.alarm = None;
        state.slots.clear();
        self.close(state);
        self.stirred.notify_waiters();
    }
    fn close(&self, state: &mut State) {
        if state.handle != NONE {
            // One that the core has ended is not there any more, which is all it says.
            drop(self.plan.machine.exchange(state.handle, vec![[IN_CLOSE, NONE, NONE, NONE]]));
            state.handle = NONE;
        }
    }
    pub fn tell(&self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
    /// How it has ended; None while it goes on.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.borrow().clone()
    }
    pub async fn ended(&self) -> Outcome {
        let mut outcome = self.outcome.subscribe();
        let told = outcome.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        told.unwrap_or_else(|| Err(Error::internal("a run was lost")))
    }

    /// When the core wants to hear next.
    pub fn set_alarm(self: &Arc<Self>, state: &mut State, at: Option<u64>) {
        state.alarm = at;
        if let Some(timer) = state.timer.take() {
            timer.abort();
        }
        let Some(at) = at else { return };
        let due = Instant::now() + Duration::from_millis(at.saturating_sub(self.plan.clock.now())).min(LOOK);
        let run = self.clone();
        let ring = async move {
            tokio::time::sleep_until(due).await;
            run.ring();
        };
        state.timer = Some(self.runtime.spawn(ring).abort_handle());
    }
    fn ring(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.over || state.pausing > 0 {
            return;
        }
        let now = self.now(&mut state);
        match state.alarm {
            // It was only a look, or the wall clock is behind.
            Some(at) if at > state.now => self.set_alarm(&mut state, Some(at)),
            Some(_) => self.exchange(&mut state, vec![now]),
            None => {}
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Nobody can say anything to it any more.
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let handle = std::mem::replace(&mut state.handle, NONE);
        if handle != NONE {
            drop(self.plan.machine.exchange(handle, vec![[IN_CLOSE, NONE, NONE, NONE]]));
        }
        self.due.notify_one();
    }
}

/// The event that begins a run.
pub fn start_event(plan: &Plan, input: Value) -> Result<Event, Error> {
    let event = Event::new(START, input);
    outputs::check_payload(&event).map_err(|failure| Error::definition(format!("{}, input: {}", plan.title(), failure.message())))?;
    Ok(event)
}
