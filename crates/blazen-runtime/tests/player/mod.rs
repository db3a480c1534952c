//! A vector's lines, said through the host's API: `test/vectors/README.md`.

mod check;
mod definition;
mod stop;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use blazen_runtime::host::{Clock, Context, Error, Event, Handler, Outputs, Question, RunStore, Status, StepFailure, Workflow};
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub fn lines(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|line| line.as_str().unwrap().to_owned()).collect()
}

type Given = Result<Outputs, StepFailure>;

/// One call of a step, which the lines settle.
struct Call {
    step: String,
    got: Vec<i64>,
    ctx: Context,
    settle: Option<oneshot::Sender<Given>>,
    staged: Vec<Event>,
    fan: bool,
    waits: Vec<Wait>,
}

/// A sleep or a question of a step.
#[derive(Clone)]
struct Wait {
    sleeps: bool,
    at: i64,
    /// By the lines' time.
    until: Option<u64>,
    slot: String,
}

/// A wait that is over: the invocation's id, the word for it, and its number.
type Over = (String, &'static str, i64);

/// What steps have told and no line has named yet.
#[derive(Default)]
pub struct Told {
    calls: Vec<Call>,
    /// Sleeps and questions that are over: the word, the invocation's id, their number, and the answer's.
    waits: Vec<(&'static str, String, i64, i64)>,
}

pub type Shared = Arc<Mutex<Told>>;

/// What every step does: it tells of its call, and gives what the lines say.
pub async fn step(told: Shared, name: String, events: Vec<Event>, ctx: Context) -> Given {
    let (settle, settled) = oneshot::channel();
    let got = events.iter().map(number).collect();
    told.lock().unwrap().calls.push(Call { step: name, got, ctx, settle: Some(settle), staged: Vec::new(), fan: false, waits: Vec::new() });
    settled.await.unwrap_or_else(|_| Err(StepFailure::new("the vector is over")))
}

/// The number of an error of the host's own.
const UNKNOWN: i64 = -1;

/// The number by which the lines know an event.
fn number(event: &Event) -> i64 {
    if event.is("StepFailedEvent") {
        let message = event["error"]["message"].as_str().unwrap();
        return message.strip_prefix("error ").map_or(UNKNOWN, |number| number.parse().unwrap());
    }
    let payload = if event.is("InputResponseEvent") { &event["response"] } else { event.payload() };
    payload["n"].as_i64().unwrap()
}

struct Player<'a> {
    vector: &'a Value,
    told: Shared,
    handler: Option<Handler>,
    workflow: Workflow,
    mode: Mode,
    stores: [RunStore; 2],
    clock: Clock,
    /// When the lines' time began, in ms since 1970, and what they say of the time.
    zero: u64,
    now: u64,
    /// Waits that a line has named: a step that runs again hears of them again.
    over: BTreeSet<Over>,
    running: BTreeMap<String, Call>,
    /// Invocations that were withdrawn: their steps are gone, and so is what lines say of them.
    gone: BTreeSet<String>,
    /// What lines say of the next event, sleep or question.
    keys: Value,
    id: Option<String>,
    until: Option<u64>,
    /// Ids of questions: by slot, and by the vector's number.
    asks: BTreeMap<String, String>,
    requests: BTreeMap<String, String>,
    /// By slot of a question that a step returns: the type of its answer.
    answers: BTreeMap<String, String>,
    /// By invocation's id: the latest attempt.
    attempts: BTreeMap<String, u32>,
}

/// How a vector is played.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    /// Paused after each turn, and gone on with by a workflow built anew: what had not settled is called again, and nothing else.
    Paused,
    /// In a store, each of whose checkpoints is verified.
    Stored,
    /// In a store, let go after each turn, and recovered by another owner.
    Left,
}

impl Mode {
    fn stores(self) -> bool {
        [Self::Stored, Self::Left].contains(&self)
    }
}

/// Plays a vector; an error says where the host does otherwise. `stores` are two owners in one file, if the mode has a store.
pub async fn play(vector: &Value, mode: Mode, stores: &[RunStore; 2]) -> Result<(), String> {
    if mode.stores() {
        // Paused time goes on where all wait: for the store's thread they must not.
        tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
    }
    let told = Shared::default();
    let clock = Clock::tokio();
    let built = definition::build(&vector["definition"], &told, clock);
    if let Some(error) = vector.get("error") {
        return definition::refused(error, built.err());
    }
    let workflow = built.map_err(|error| error.to_string())?;
    let mut player = Player {
        vector,
        told,
        handler: None,
        workflow,
        mode,
        stores: stores.clone(),
        clock,
        zero: clock.now(),
        now: 0,
        over: BTreeSet::new(),
        running: BTreeMap::new(),
        gone: BTreeSet::new(),
        keys: json!({}),
        id: None,
        until: None,
        asks: BTreeMap::new(),
        requests: BTreeMap::new(),
        answers: definition::answers(vector),
        attempts: BTreeMap::new(),
    };
    for (at, turn) in vector["play"].as_array().unwrap().iter().enumerate() {
        let (said, expected) = (lines(&turn["in"]), lines(&turn["out"]));
        for line in &said {
            player.give(line).await.map_err(|why| format!("play[{at}] \"{line}\": {why}"))?;
        }
        player.settle(&expected).await;
        player.check(&expected).await.map_err(|why| format!("play[{at}] {said:?}: {why}"))?;
        if [Mode::Paused, Mode::Left].contains(&mode) && [Status::Running, Status::Waiting].contains(&player.handler().status()) {
            player.stop().await.map_err(|why| format!("stopped after play[{at}]: {why}"))?;
        }
    }
    match player.handler.map(|handler| handler.status()) {
        Some(Status::Completed | Status::Failed | Status::Cancelled) => Ok(()),
        status => Err(format!("it is {status:?} at the end")),
    }
}

/// What is withdrawn in the turn in which it is called has not begun, and neither has it where the run ends.
fn never_begins(invocation: &str, later: &[String]) -> bool {
    let abort = format!("Abort {invocation}");
    later.iter().any(|line| line.starts_with("Finish ") || line.starts_with("Fail ") || *line == abort)
}

/// All that can happen without time going on has happened.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

impl Player<'_> {
    fn payload(&mut self, slot: &str) -> Value {
        let n: i64 = slot.parse().unwrap();
        json!({ "n": n, "keys": std::mem::replace(&mut self.keys, json!({})) })
    }
    fn event(&mut self, kind: &str, slot: &str) -> Event {
        let mut payload = self.payload(slot);
        match kind {
            "StopEvent" => payload["result"] = payload["n"].clone(),
            "InputRequestEvent" => {
                let id = format!("request {slot} of {}", self.asks.len());
                self.asks.insert(slot.to_owned(), id.clone());
                let question = Question::new("?").id(id);
                return self.answers.get(slot).map_or(question.clone(), |answer| question.answer(answer)).into();
            }
            _ => {}
        }
        Event::new(kind, payload)
    }
    fn handler(&self) -> &Handler {
        self.handler.as_ref().unwrap()
    }

    async fn give(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split(' ').collect();
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let told = |error: Error| format!("{}: {error}", error.code());
        if ["Emit", "Send", "Settle", "Fan", "Sleep", "Ask"].contains(&word(0)) && self.gone.contains(word(1)) {
            (self.keys, self.id) = (json!({}), None);
            if word(0) == "Settle" {
                self.gone.remove(word(1));
            }
            return Ok(());
        }
        match word(0) {
            "Start" => {
                let input = self.payload(word(1));
                self.handler = Some(if self.mode.stores() {
                    self.workflow.start_in(&self.stores[0], input, None).await.map_err(told)?
                } else {
                    self.workflow.start(input).map_err(told)?
                });
            }
            "Key" => self.keys[word(1)] = if word(2) == "-" { Value::Null } else { word(2).parse::<i64>().unwrap().into() },
            "Id" => self.id = Some(format!("id {}", word(1))),
            "Tick" => {
                let now: u64 = word(1).parse().unwrap();
                // Time does not go back, whatever a clock says.
                tokio::time::advance(Duration::from_millis(now.saturating_sub(self.now))).await;
                self.now = self.now.max(now);
                settle().await;
            }
            "Until" => self.until = Some(word(1).parse().unwrap()),
            "Cancel" => self.handler().cancel(),
            "Fan" => self.running.get_mut(word(1)).unwrap().fan = true,
            "Emit" => {
                let event = self.event(word(2), word(3));
                self.running.get_mut(word(1)).unwrap().staged.push(event);
            }
            "Send" => {
                let event = self.event(word(2), word(3));
                let ctx = self.running[word(1)].ctx.clone();
                match self.id.take() {
                    Some(id) => ctx.send_once(event, &id).map_err(told)?,
                    None => ctx.send(event).map_err(told)?,
                }
            }
            "External" => {
                let event = self.event(word(1), word(2));
                match self.id.take() {
                    Some(id) => self.handler().send_once(event, &id).map_err(told)?,
                    None => self.handler().send(event).map_err(told)?,
                }
            }
            "Respond" => {
                let id = self.requests[word(1)].clone();
                let response = self.payload(word(3));
                self.handler().respond(&id, response).map_err(told)?;
            }
            "Sleep" | "Ask" => {
                let (at, slot) = (word(2).parse().unwrap(), word(3).to_owned());
                let wait = Wait { sleeps: word(0) == "Sleep", at, until: self.until.take(), slot };
                let call = self.running.get_mut(word(1)).unwrap();
                call.waits.push(wait.clone());
                let ctx = call.ctx.clone();
                self.wait(&ctx, wait, BTreeSet::new());
            }
            "Settle" => {
                let mut call = self.running.remove(word(1)).unwrap();
                let staged = std::mem::take(&mut call.staged);
                let failure = format!("error {}", word(3));
                let given = match word(2) {
                    "ok" if call.fan || staged.len() > 1 => Ok(Outputs::Many(staged)),
                    "ok" => Ok(staged.into_iter().next().into()),
                    "failed" => Err(StepFailure::new(failure)),
                    "final" => Err(StepFailure::permanent(failure)),
                    other => return Err(format!("no outcome \"{other}\"")),
                };
                call.settle.take().unwrap().send(given).map_err(|_| "the step was dropped")?;
            }
            other => return Err(format!("unknown line \"{other}\"")),
        }
        Ok(())
    }

    /// A step sleeps, or asks, in a task beside it. What is `over` it has told of before.
    fn wait(&mut self, ctx: &Context, Wait { sleeps, at, until, slot }: Wait, over: BTreeSet<Over>) {
        let (told, ctx) = (self.told.clone(), ctx.clone());
        let id = ctx.invocation_id();
        let tell = move |verb, n| {
            if !over.contains(&(id.clone(), verb, at)) {
                told.lock().unwrap().waits.push((verb, id.clone(), at, n));
            }
        };
        if sleeps {
            let until = UNIX_EPOCH + Duration::from_millis(self.zero + until.unwrap());
            tokio::spawn(async move {
                if ctx.sleep_until(until).await.is_ok() {
                    tell("Woken", -1);
                }
            });
            return;
        }
        self.asks.insert(slot, format!("{}/{at}", ctx.invocation_id()));
        let question = Question::new(format!("question {at}"));
        let question = until.map_or(question.clone(), |until| question.timeout(Duration::from_millis(until.saturating_sub(self.now))));
        tokio::spawn(async move {
            match ctx.ask(question).await {
                Ok(answer) => tell("Answered", answer["n"].as_i64().unwrap()),
                Err(error) if error.code() == "TIMEOUT" => tell("Expired", -1),
                Err(_) => {}
            }
        });
    }
}
