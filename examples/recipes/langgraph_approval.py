# langgraph_approval.py
import os
from typing import TypedDict

import httpx
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

HUB = os.environ.get("HUB", "http://localhost:8000")
TOKEN = os.environ.get("HUB_TOKEN", "")
http = httpx.Client(base_url=HUB, headers={"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}, timeout=70)


class Order(TypedDict):
    order: int
    status: str


def review(state: Order):
    question = {"text": f"May I ship order {state['order']}?", "answer": {"kind": "confirm", "yes": "Ship"}}
    return {"status": "shipped" if interrupt(question) is True else "refused"}


def ask(key, question):
    """Asks people; returns what they answer, however long that takes, or None if the question is closed without."""
    # With the same key, the same question: a process that starts again waits for the answer to the first.
    answer = http.post("/questions", json={"channel": "review", **question}, headers={"Idempotency-Key": key})
    while True:
        answer.raise_for_status()
        asked = answer.json()
        if asked["state"] == "closed":
            return asked.get("answered", {}).get("value")
        answer = http.get(f"/questions/{asked['id']}", params={"wait": 50})


builder = StateGraph(Order)
builder.add_node("review", review)
builder.add_edge(START, "review")
builder.add_edge("review", END)
graph = builder.compile(checkpointer=InMemorySaver())

thread = {"configurable": {"thread_id": "order-123"}}
result = graph.invoke({"order": 123, "status": "new"}, thread)
while "__interrupt__" in result:
    answers = {one.id: ask(one.id, one.value) for one in result["__interrupt__"]}
    result = graph.invoke(Command(resume=answers), thread)
print(result["status"], flush=True)
