// The page keeps nothing but the run's id, in its address: what it shows is made from the run's stream, so a reload makes it again.

/** Files that are listed; of a larger folder the latest. */
const LISTED = 500;

const at = (id) => document.getElementById(id);
let source;
let requestId;

/** @returns {Promise<object | undefined>} undefined when it was refused, which the page says */
async function post(path, body = {}) {
  at("problem").textContent = "";
  const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }).catch((error) => error);
  if (response.ok) return response.status === 204 ? {} : response.json();
  at("problem").textContent = response instanceof Error ? "The server cannot be reached." : (await response.json()).message;
  return undefined;
}

function showLive() {
  at("status").textContent = at("question").hidden ? "running" : "waiting for an answer";
}

const show = {
  "blazen::ProgressEvent"({ stage, percent }) {
    at("stage").textContent = stage;
    at("progress").value = percent;
  },
  FileChecked({ path, kind, checked, total, findings }) {
    at(kind).textContent = `${kind}: ${checked} of ${total} files`;
    const item = document.createElement("li");
    item.textContent = findings === 0 ? path : `${path} (${findings})`;
    at("files").prepend(item);
    if (at("files").childElementCount > LISTED) at("files").lastElementChild.remove();
  },
  "blazen::InputRequestEvent"({ id, prompt, metadata }) {
    requestId = id;
    at("summary").textContent = metadata.summary;
    at("prompt").textContent = prompt;
    at("question").hidden = false;
    showLive();
  },
  "blazen::StopEvent"({ result }) {
    at("report").textContent = result === false ? "No report was written." : result;
    at("report").hidden = false;
  },
};

/** Shows a run from the oldest event that is still kept. */
function follow(runId) {
  source?.close();
  at("run").hidden = runId === "";
  for (const id of ["question", "report"]) at(id).hidden = true;
  at("cancel").hidden = false;
  at("files").replaceChildren();
  for (const id of ["stage", "markdown", "source", "problem", "status"]) at(id).textContent = "";
  at("progress").value = 0;
  if (runId === "") return;
  source = new EventSource(`runs/${runId}/events`);
  source.onopen = showLive;
  source.onmessage = ({ data }) => {
    const { event } = JSON.parse(data);
    show[event.type]?.(event);
  };
  source.addEventListener("dropped", ({ data }) => {
    at("problem").textContent = `${JSON.parse(data).dropped} events are not kept any more.`;
  });
  source.addEventListener("end", ({ data }) => {
    source.close();
    const { status, error } = JSON.parse(data);
    at("status").textContent = error === undefined ? status : `${status}: ${error.message}`;
    at("question").hidden = at("cancel").hidden = true;
  });
  // The browser connects again, and says which event was the last it got.
  source.onerror = () => {
    at("status").textContent = source.readyState === EventSource.CLOSED ? "not known any more" : "connection lost; trying again";
  };
}

const runId = () => location.hash.slice(1);
addEventListener("hashchange", () => follow(runId()));
at("start").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const started = await post("runs", { folder: at("folder").value });
  if (started !== undefined) location.hash = started.runId;
});
at("cancel").addEventListener("click", () => post(`runs/${runId()}/cancel`));
for (const button of at("question").querySelectorAll("button"))
  button.addEventListener("click", async () => {
    const answered = await post(`runs/${runId()}/answers`, { requestId, response: { write: button.value } });
    if (answered !== undefined) at("question").hidden = true;
  });
follow(runId());
