# openai_agents_approval.py
import asyncio
import json
import os

import httpx
from agents import Agent, Runner, function_tool

HUB = os.environ.get("HUB", "http://localhost:8000")
TOKEN = os.environ.get("HUB_TOKEN", "")
HEADERS = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}


@function_tool(needs_approval=True)
async def refund(order: int, euros: int) -> str:
    """Pays money back to whoever ordered."""
    return f"{euros} euros for order {order} are on their way"


async def ask(key, name, arguments):
    """Asks people whether a tool may be called; returns the question when it is closed, however long that takes."""
    question = {
        "channel": "approvals",
        "text": f"May I call {name}?",
        "proposal": {"name": name, "arguments": arguments},
    }
    async with httpx.AsyncClient(base_url=HUB, headers=HEADERS, timeout=70) as http:
        # With the same key, the same question: a process that starts again waits for the answer to the first.
        answer = await http.post("/questions", json=question, headers={"Idempotency-Key": key})
        while True:
            answer.raise_for_status()
            asked = answer.json()
            if asked["state"] == "closed":
                return asked
            answer = await http.get(f"/questions/{asked['id']}", params={"wait": 50})


async def run(agent, request):
    result = await Runner.run(agent, request)
    while result.interruptions:
        state = result.to_state()
        for wanted in result.interruptions:
            asked = await ask(wanted.raw_item.call_id, wanted.name, json.loads(wanted.arguments))
            if asked.get("answered", {}).get("value") is True:
                state.approve(wanted)
            else:
                state.reject(wanted)
        result = await Runner.run(agent, state)
    return result.final_output


if __name__ == "__main__":
    support = Agent(name="support", instructions="Help with orders.", tools=[refund])
    print(asyncio.run(run(support, "Order 123 came broken, I want my 20 euros back")))
