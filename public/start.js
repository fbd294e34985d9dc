// The start page: shows the default channel live, publishes to it, and copies the lines to try.

const MOST_SHOWN = 50;

const state = document.getElementById("state");
const messages = document.getElementById("messages");
const empty = document.getElementById("empty");

const source = new EventSource("/events?format=json&last_event_id=earliest");
source.addEventListener("open", () => show("on", "Connected: this page is a reader of the channel default."));
source.addEventListener("error", () => {
  show("off", "The connection is gone; the browser comes back by itself and gets what it missed.");
});
source.addEventListener("message", (event) => add(JSON.parse(event.data)));
source.addEventListener("gap", () => show("off", "Some messages are no longer kept; what follows is complete."));

document.getElementById("say").addEventListener("submit", (event) => {
  event.preventDefault();
  void publish(event.currentTarget);
});

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", () => void copy(button));
}

async function publish(form) {
  const text = new FormData(form).get("text");
  try {
    const response = await fetch("/channels/default/messages?sender=start+page", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: text,
    });
    if (!response.ok) throw new Error((await response.json()).detail);
    form.reset();
  } catch (error) {
    show("off", `Not published: ${error.message}`);
  }
}

async function copy(button) {
  const line = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(line.textContent);
    button.textContent = "Copied";
  } catch {
    // Without the right to write, the line is selected to be copied by hand.
    getSelection().selectAllChildren(line);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function add({ time, sender, data }) {
  const item = document.createElement("li");
  const at = document.createElement("time");
  at.dateTime = time;
  at.textContent = new Date(time).toLocaleTimeString();
  const text = document.createElement("span");
  text.textContent = `${sender}: ${typeof data === "string" ? data : JSON.stringify(data)}`;
  item.append(at, text);
  messages.prepend(item);
  while (messages.children.length > MOST_SHOWN) messages.lastChild.remove();
  empty.hidden = true;
}

function show(kind, text) {
  state.dataset.state = kind;
  state.textContent = text;
}
